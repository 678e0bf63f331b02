/*
 * mail: what a message is made of. Addresses by the grammar of RFC 5321 and 6531 (address), the envelope that
 * travels through the queue (envelope), dates (date), the header section of a message (header), the parts of
 * a message (mime), and delivery status notifications (dsn).
 *
 * Pure: bytes and values in, values out. Knows no sockets, no files, no clock, no policy. Text handed out
 * borrows from the text handed in unless an arena or a buf says otherwise.
 */
#ifndef MAIL_MAIL_H
#define MAIL_MAIL_H

#include "mail/address.h"
#include "mail/date.h"
#include "mail/dsn.h"
#include "mail/envelope.h"
#include "mail/header.h"
#include "mail/mime.h"

#endif
