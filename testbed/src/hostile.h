/*
 * What the roles of hostile have in common: see hostile.c.
 */
#ifndef TESTBED_HOSTILE_H
#define TESTBED_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <libxenvchan.h>
#include <xenstore.h>

#define SHORT_MS 500        /* to see that nothing comes */
#define LONG_MS 15000       /* for what is to come */
#define TEXT_MAX (1 << 20)
#define PATH_SIZE 256

#define END "\r\n"
#define ABSENT "0000:00:1e.7"
#define X10(s) s s s s s s s s s s
#define X100(s) X10(X10(s))
#define X1000(s) X10(X100(s))

extern struct xs_handle *xs;
extern struct libxenvchan *chan;
extern char base[PATH_SIZE];        /* the directory where clients ask */
extern char node[PATH_SIZE + 128];   /* of the channel, in it */
extern int domid, peer;
extern int toolstack;                /* the domain number of $TOOLSTACK */

int64_t now_ms(void);

/* Waits for an event of the peer; false at the end of the time. */
bool wait_event(int64_t end);

/* Until the peer has closed; false if it does not in time. */
bool wait_closed(int ms);
bool closed(void);

/* Send all, unless the peer takes nothing for long, or closes. */
bool send_bytes(const char *data, size_t size);
bool send_text(const char *text);
bool send_line(const char *text);
void send_many(const char *text, int count);

/* The next message, without its end; NULL if there is none in time. */
char *receive_line(int ms);

void notify(void);

/* Writes to xenstore; says why if it cannot. */
bool put(const char *path, const char *value);

int client(const char *owner, const char *name);
void owner(const char *name);
void pci_backend(const char *guest, const char *name, const char *with);
void pci_frontend(const char *name, const char *with);
void client_list(void);
void owner_list(void);
void pci_backend_list(void);
void pci_frontend_list(void);

#endif
