/*
 * smtp: what both sides of RFC 5321 share: command lines, replies, extensions, parameters, xtext, the framing
 * of content (DATA and BDAT).
 *
 * All of it is pure, bytes in and values out, but for smtp_reply_read, which loops over a stream. Knows
 * nothing of sessions, queues or policy; the grammar of addresses is mail's. Text borrows from the input
 * unless it says otherwise.
 */
#ifndef SMTP_SMTP_H
#define SMTP_SMTP_H

#include "smtp/command.h"
#include "smtp/content.h"
#include "smtp/extension.h"
#include "smtp/orcpt.h"
#include "smtp/param.h"
#include "smtp/reply.h"
#include "smtp/xtext.h"

#endif
