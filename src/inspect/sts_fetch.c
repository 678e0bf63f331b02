#include "inspect/sts_fetch.h"

#include <curl/curl.h>

#include "base/base.h"

enum { HTTP_OK = 200, HTTPS_PORT = 443 };

/* "host:443:addr,addr": curl asks nobody. False when the host has no address. */
static bool resolve(struct arena *a, struct str host, const struct sts_fetch_conf *conf, struct buf *out)
{
    struct dns_question questions[] = {{host, DNS_A}, {host, DNS_AAAA}};
    struct dns_answer answers[2];
    char text[ADDR_TEXT];
    size_t found = 0;
    conf->source->ask(conf->source->ctx, a, questions, 2, deadline_in(conf->dns_ms), answers);
    buf_printf(out, "%.*s:%d:", STR_ARG(host), HTTPS_PORT);
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; answers[i].status == DNS_DATA && k < answers[i].n; k++) {
            const struct addr *at = &answers[i].records[k].addr;
            buf_printf(out, addr_is_v6(at) ? "%s[%s]" : "%s%s", found++ ? "," : "", addr_ip_format(at, text));
        }
    return found;
}

static size_t take(char *p, size_t size, size_t n, void *ctx)
{
    struct buf *body = ctx;
    if (body->n + size * n > STS_POLICY_MAX)
        return 0;
    buf_append(body, p, size * n);
    return size * n;
}

static CURLcode get(CURL *curl, const char *url, struct curl_slist *addresses,
                    const struct sts_fetch_conf *conf, char error[CURL_ERROR_SIZE], struct buf *body)
{
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_RESOLVE, addresses);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOPROXY, "*");
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L); /* RFC 8461 3.3 */
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)conf->http_ms);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, body);
    if (conf->ca_file && *conf->ca_file)
        curl_easy_setopt(curl, CURLOPT_CAINFO, conf->ca_file);
    return curl_easy_perform(curl);
}

static bool is_text(CURL *curl)
{
    char *type = NULL;
    return curl_easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type) == CURLE_OK && type &&
           str_starts_nocase(str_of(type), STR("text/plain"));
}

static void judge(struct arena *a, CURL *curl, CURLcode code, const char *error, struct str body,
                  struct sts_facts *out)
{
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (code != CURLE_OK) {
        bool certificate = code == CURLE_PEER_FAILED_VERIFICATION;
        out->state = certificate ? STS_CERTIFICATE : status ? STS_STATUS : STS_UNREACHABLE;
        out->said = arena_str(a, str_of(*error ? error : curl_easy_strerror(code)));
        return;
    }
    if (status != HTTP_OK || !is_text(curl)) {
        out->state = STS_STATUS;
        out->said = status == HTTP_OK ? STR("the content is not text/plain")
                                      : arena_printf(a, "HTTP status %ld", status);
        return;
    }
    struct buf why = {0};
    if (sts_policy_parse(a, body, &out->policy, &why)) {
        out->state = STS_POLICY;
        out->said = arena_str(a, buf_str(&why));
    }
    buf_release(&why);
}

static void fetch(struct arena *a, struct str domain, const struct sts_fetch_conf *conf,
                  struct sts_facts *out)
{
    struct str host = arena_printf(a, "mta-sts.%.*s", STR_ARG(domain));
    struct buf addresses = {0}, body = {0};
    char error[CURL_ERROR_SIZE] = "";
    CURL *curl = NULL;
    struct curl_slist *list = NULL;
    if (!resolve(a, host, conf, &addresses)) {
        out->state = STS_UNREACHABLE;
        out->said = arena_printf(a, "%.*s has no address", STR_ARG(host));
        goto out;
    }
    curl = must_alloc(curl_easy_init());
    list = must_alloc(curl_slist_append(NULL, buf_cstr(&addresses)));
    struct str url = arena_printf(a, "https://%.*s/.well-known/mta-sts.txt", STR_ARG(host));
    CURLcode code = get(curl, url.p, list, conf, error, &body);
    judge(a, curl, code, error, buf_str(&body), out);
out:
    curl_slist_free_all(list);
    curl_easy_cleanup(curl);
    buf_release(&addresses);
    buf_release(&body);
}

void sts_look(struct arena *a, struct str domain, const struct sts_fetch_conf *conf, struct sts_facts *out)
{
    struct dns_answer txt;
    struct str name = arena_printf(a, "_mta-sts.%.*s", STR_ARG(domain));
    dns_source_ask(conf->source, a, name, DNS_TXT, deadline_in(conf->dns_ms), &txt);
    if (sts_record_parse(a, &txt, out) == STS_VALID)
        fetch(a, domain, conf, out);
}
