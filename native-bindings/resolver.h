// tsrun-resolver: answers for the names of one container's networks, at 127.0.0.11 of its network
// namespace, and asks the host's name servers for the rest. It lives as long as the container's init.
//
// What it knows is in two kinds of files below the engine's folder of networks, which are replaced whole;
// they are read for each question, so there is nothing to be told of and nothing that grows old:
//
//   .resolvers/<container>   `forward <address>` for each name server, `network <name>` for each network
//   <network>/names          `<name> <IPv4 or -> <IPv6 or ->`, one line a name; addresses are hex digits
#ifndef TSRUN_RESOLVER_H
#define TSRUN_RESOLVER_H

#include "helper.h"

#define MAX_QUERY 1232 // what fits one packet everywhere (DNS flag day 2020); questions are shorter
#define MAX_PACKET 65535
#define MAX_NAME 255
#define MAX_ANSWERS 16
#define MAX_SERVERS 4
#define DNS_HEADER 12
#define DNS_PORT 0x3500 // 53 in network order
#define OWN_PORT \
  61053 // behind the ports that the kernel gives; a server of the container's may have 53
#define UDP_LIMIT 512 // RFC 1035, 4.2.1

enum dns_type { TYPE_A = 1, TYPE_PTR = 12, TYPE_AAAA = 28, TYPE_ANY = 255 };
enum dns_code {
  CODE_OK = 0,
  CODE_MALFORMED = 1,
  CODE_FAILED = 2,
  CODE_NO_NAME = 3,
  CODE_NOT_DONE = 4,
  CODE_REFUSED = 5
};

// The descriptors that it is started with.
enum resolver_descriptor { FD_NETWORKS = 0, FD_NAMESPACE = 1, FD_INIT = 2, FD_REDIRECT = 4 };
enum resolver_step { STEP_ARGUMENTS = 1, STEP_SESSION, STEP_SOCKETS, STEP_CONFINE };
struct query {
  uint16_t type;
  uint32_t question_length; // name, type and class, as they stand behind the header
  uint32_t name_length;     // 0: a name that no container can have
  char name[MAX_NAME + 1];  // lower case, with dots, without the last one
};

// What the records say of a question.
struct answer {
  int is_known; // there is such a name, perhaps without an address of the kind
  uint32_t count;
  struct address addresses[MAX_ANSWERS];
  uint32_t target_length; // of a question for the name of an address
  char target[MAX_NAME + 1];
};

struct settings {
  uint32_t server_count;
  struct address servers[MAX_SERVERS];
};

enum verdict { VERDICT_DROP, VERDICT_ANSWER, VERDICT_FORWARD };

// resolver-message.c: bytes in, bytes out.
int parse_query(const uint8_t *packet, uint32_t length, struct query *query);
int is_reply_to(const uint8_t *packet, uint32_t length, const uint8_t *question, uint32_t asked);
uint32_t put_refusal(const uint8_t *packet, uint32_t length, enum dns_code code, uint8_t *to);
uint32_t put_answer(const uint8_t *packet, const struct query *query, const struct answer *answer,
                    uint32_t limit, uint8_t *to);

// resolver-records.c: the lines of the files.
int next_line(const char **at, const char *end, const char **line, uint32_t *length);
int parse_address(const char *text, uint32_t length, struct address *to);
int has_word(const char **line, uint32_t *length, const char *word);
void look_up(const struct query *query, const char *records, uint32_t length,
             struct answer *answer);

// resolver-files.c
int open_settings(const char *container);
enum verdict resolve(const uint8_t *packet, uint32_t length, uint32_t limit, uint8_t *to,
                     uint32_t *to_length, struct settings *settings);

// resolver-udp.c, resolver-tcp.c
struct pollfd;
#define MAX_FORWARDS 64
#define MAX_CONNECTIONS 8
#define MAX_WATCHES (3 + MAX_FORWARDS + MAX_CONNECTIONS)
void receive_questions(int socket);
uint32_t watch_forwards(struct pollfd *to);
void handle_forwards(int socket, const struct pollfd *polled, uint32_t count);
uint64_t first_forward_deadline(void);
void accept_connections(int listener);
uint32_t watch_connections(struct pollfd *to);
void handle_connections(const struct pollfd *polled, uint32_t count);
uint64_t first_connection_deadline(void);

// resolver.c
extern uint8_t packet_in[MAX_PACKET];
extern uint8_t packet_out[MAX_PACKET];
uint16_t random_word(void);

#endif
