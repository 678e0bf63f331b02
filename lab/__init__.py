"""The lab: a small internet of our own, signed from the root down, with an attacker in it.

Modules, bottom first:

  packages    servers unpacked privately from their Debian packages
  namespace   a private network, mount and process namespace to run everything in
  pki         keys, certificates and the TLSA records that match them
  signer      DNSSEC signing of a zone, with any defect a test wants
  world       the zones and hosts of the lab: a table, readable as documentation
  internet    authoritative servers (Knot), the validating resolver (Unbound), the DNS forger
  primary      a primary that signs by itself and takes updates: Knot, BIND or PowerDNS
  authority    managed zones: a hidden primary, public secondaries, the DS record in the parent
  sink        SMTP and LMTP servers that store what they get
  attacker    a man in the middle on the SMTP connection
  witness     somebody who looks at TLSA records and handshakes all the time, and says what a cache would not match
  postfix     a mail provider that knows nothing of us
  exim        another sender
  flow        constant mail from a Postfix that takes DANE or nothing, and the books about it
  doorman     a load balancer in front of an edge
  kedge       our own daemons
  private     kedge run with a primary of its own
  rollover    a place to watch rollovers: an edge, its keys, a zone on two secondaries, a domain
  lab         all of it together: Lab().up()
"""
