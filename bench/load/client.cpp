// load/client.cpp: many subscribers in one cheap process.
//
// In:       options as `--name value`; commands on stdin, one a line; frames on N connections.
// Out:      one JSON line on stdout per command; "seen by all" numbers on a Unix socket (`--ack`).
// Promise:  every frame is parsed, every change is counted once, and each connection keeps the newest change of every
//           key, so that a run ends with a comparison and not with trust.
// Not here: what a change costs the server (servers/), what the numbers mean (claims/).
//
// A change carries a mark somewhere in its text, `@@<key>,<n>,<us>@@`: which key, the how manieth change of the run, and
// when it was published (CLOCK_MONOTONIC, microseconds). The client looks for marks and does not parse JSON, so that one
// core of it feeds on what one core of a server sends.
//
// Options   --host --port --protocol trpc|sse|graphql-ws|socket.io|ws|net --connections --path --procedure --scopes
//           --keys --ids counting|same|distinct --stalled 0.1 --ack <path> --ack-step 1 --concurrency 256
// Commands  connect | reset | report | stall | release | drop | resume valid|foreign|none <n> | churn <per second> <seed>
//           | calm | dump <connection> | quit
#include <arpa/inet.h>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <fcntl.h>
#include <map>
#include <netinet/tcp.h>
#include <random>
#include <string>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>
#include <vector>

using std::string;

// ---------------------------------------------------------------- options and clock

enum class Protocol { Trpc, Sse, Graphql, SocketIo, Ws, Net };
enum class Ids { Counting, Same, Distinct };

static struct {
  string host = "127.0.0.1", path = "/", procedure = "snapshots.onProject", ack;
  int port = 0, connections = 1, scopes = 1, keys = 128, concurrency = 256, ackStep = 1;
  double stalled = 0;
  Protocol protocol = Protocol::Trpc;
  Ids ids = Ids::Counting;
} options;

static int64_t nowUs() {
  timespec at;
  clock_gettime(CLOCK_MONOTONIC, &at);
  return int64_t(at.tv_sec) * 1000000 + at.tv_nsec / 1000;
}

static int64_t cpuUs() {
  rusage use;
  getrusage(RUSAGE_SELF, &use);
  return (int64_t(use.ru_utime.tv_sec) + use.ru_stime.tv_sec) * 1000000 + use.ru_utime.tv_usec + use.ru_stime.tv_usec;
}

[[noreturn]] static void fail(const string& why) {
  printf("{\"fatal\":\"%s\"}\n", why.c_str());
  fflush(stdout);
  exit(1);
}

// ---------------------------------------------------------------- counters

/** Buckets of 1.6 %: 64 per power of two. Microseconds. */
struct Histogram {
  std::vector<uint64_t> buckets = std::vector<uint64_t>(128 + 64 * 40);
  uint64_t count = 0;
  int64_t max = 0;
  double sum = 0;

  void add(int64_t value) {
    if (value < 0) value = 0;
    size_t at = size_t(value);
    if (value >= 128) {
      const int exponent = 63 - __builtin_clzll(uint64_t(value));
      at = 128 + size_t(exponent - 7) * 64 + ((uint64_t(value) >> (exponent - 6)) & 63);
    }
    buckets[at < buckets.size() ? at : buckets.size() - 1]++;
    count++;
    sum += double(value);
    if (value > max) max = value;
  }

  int64_t percentile(double share) const {
    uint64_t rest = uint64_t(share * double(count));
    for (size_t at = 0; at < buckets.size(); at++) {
      if (rest < buckets[at]) return at < 128 ? int64_t(at) : upperEdge(at);
      rest -= buckets[at];
    }
    return max;
  }

  static int64_t upperEdge(size_t at) {
    const int exponent = int((at - 128) / 64) + 7;
    return (int64_t(1) << exponent) + (int64_t((at - 128) % 64) + 1) * (int64_t(1) << (exponent - 6)) - 1;
  }
};

struct Counters {
  uint64_t deliveries = 0, messages = 0, bytes = 0, reads = 0, fulls = 0, resumed = 0, removed = 0;
  uint64_t errors = 0, closed = 0, regressions = 0, duplicates = 0, drops = 0, stops = 0, stalls = 0, resumes = 0;
  string firstError;
  Histogram lag;
  int64_t sinceUs = nowUs(), cpuAtUs = cpuUs();
};
static Counters counters;

static void noteError(const char* text, size_t size) {
  counters.errors++;
  if (!counters.firstError.empty()) return;
  for (size_t at = 0; at < size && at < 300; at++) {
    const char c = text[at];
    counters.firstError += c == '"' || c == '\\' || c < ' ' ? '\'' : c;
  }
}

// ---------------------------------------------------------------- connections

enum class State { Closed, Connecting, Upgrading, Open };
enum class Subscription { None, Asked, Live, Stopping };

struct Connection {
  int index = 0, fd = -1, scope = 0;
  State state = State::Closed;
  Subscription subscription = Subscription::None;
  bool slow = false;     // one of those that `stall` stops
  bool stalled = false;  // reads nothing
  bool counted = false;  // its progress counts for "seen by all"
  bool opening = false;  // asked for, and neither subscribed nor failed yet
  bool failed = false;
  uint32_t requestId = 0;
  uint32_t newest = 0;             // the highest n that it has seen
  std::vector<uint32_t> newestOf;  // key -> n; 0 = no such key
  string rest;                     // bytes of an unfinished frame
  string out;                      // bytes that did not fit into the socket
  string text;                     // SSE: decoded, not yet a whole event. WebSocket: fragments
  int64_t chunkLeft = 0;           // SSE
  string position;
};

static std::vector<Connection> all;
static std::deque<int> toOpen;
static int epollFd = -1, ackFd = -1, opening = 0;
static uint32_t nextDistinctId = 0;
static string resumeKind = "valid";  // what a reconnecting client says

// "Seen by all": reached[n] = how many counted connections have got as far as n.
static constexpr uint32_t RING = 1u << 20;
static std::vector<uint32_t> reached(RING);
static uint32_t acked = 0, ackSent = 0, highest = 0, counted = 0;
static bool acking = true;

static void advance(Connection& c, uint32_t n) {
  if (n > highest) highest = n;
  if (n <= c.newest) return;
  if (c.counted && acking) {
    for (uint32_t at = c.newest + 1; at <= n; at++) reached[at % RING]++;
  }
  c.newest = n;
}

/** After a change of who counts: all from the start. */
static void recount() {
  counted = 0;
  uint32_t lowest = UINT32_MAX;
  for (auto& c : all) {
    c.counted = c.subscription == Subscription::Live && !c.stalled;
    if (!c.counted) continue;
    counted++;
    if (c.newest < lowest) lowest = c.newest;
  }
  acked = counted ? lowest : highest;
  acking = highest - acked < RING / 2;
  if (!acking) return;
  std::fill(reached.begin(), reached.end(), 0);
  for (auto& c : all) {
    if (!c.counted) continue;
    for (uint32_t at = acked + 1; at <= c.newest; at++) reached[at % RING]++;
  }
  ackSent = 0;
}

static void sendAck() {
  if (!acking || counted == 0 || ackFd < 0) return;
  while (acked < highest && reached[(acked + 1) % RING] >= counted) {
    acked++;
    reached[acked % RING] = 0;
  }
  if (acked == ackSent || (acked < highest && acked - ackSent < uint32_t(options.ackStep))) return;
  ackSent = acked;
  const uint32_t word = acked;
  if (write(ackFd, &word, sizeof word) < 0 && errno != EAGAIN) ackFd = -1;
}

static void watchFor(Connection& c, uint32_t events, int operation = EPOLL_CTL_MOD) {
  epoll_event event{};
  event.events = events;
  event.data.u32 = uint32_t(c.index);
  epoll_ctl(epollFd, operation, c.fd, &event);
}

static void interest(Connection& c) {
  watchFor(c, (c.stalled ? 0u : uint32_t(EPOLLIN)) | (c.out.empty() ? 0u : uint32_t(EPOLLOUT)));
}

static void beginOpening(Connection& c) {
  if (!c.opening) opening++;
  c.opening = true;
  c.failed = false;
}

static void endOpening(Connection& c, bool failed) {
  if (!c.opening) return;
  opening--;
  c.opening = false;
  c.failed = failed;
}

/** Away at once, without the wait of an orderly end: a client that lost its network. */
static void closeNow(Connection& c) {
  endOpening(c, false);
  if (c.fd >= 0) {
    const linger hard{1, 0};
    setsockopt(c.fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(c.fd);
  }
  c.fd = -1;
  c.state = State::Closed;
  c.subscription = Subscription::None;
  c.stalled = c.counted = false;
  c.rest.clear();
  c.rest.shrink_to_fit();
  c.out.clear();
  c.text.clear();
  c.chunkLeft = 0;
}

static void lost(Connection& c, const char* why) {
  counters.closed++;
  if (counters.firstError.empty()) counters.firstError = string("connection lost: ") + why;
  endOpening(c, true);
  closeNow(c);
}

static void put(Connection& c, const string& bytes) {
  if (!c.out.empty()) {
    c.out += bytes;
    return;
  }
  const ssize_t sent = send(c.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  const size_t done = sent > 0 ? size_t(sent) : 0;
  if (done == bytes.size()) return;
  c.out = bytes.substr(done);
  interest(c);
}

/** One masked WebSocket frame, as every client must send it. */
static void putFrame(Connection& c, uint8_t opcode, const string& payload) {
  string frame;
  frame += char(0x80 | opcode);
  if (payload.size() < 126) {
    frame += char(0x80 | payload.size());
  } else {
    frame += char(0x80 | 126);
    frame += char(payload.size() >> 8);
    frame += char(payload.size() & 255);
  }
  const char mask[4] = {0x37, 0x1a, 0x5b, 0x2e};
  frame.append(mask, 4);
  for (size_t at = 0; at < payload.size(); at++) frame += char(payload[at] ^ mask[at % 4]);
  put(c, frame);
}

static string scopeName(const Connection& c) { return "bench-" + std::to_string(c.scope); }

/** The position to come back with; empty to begin anew. */
static string positionToSay(const Connection& c) {
  if (c.position.empty() || resumeKind == "none") return "";
  if (resumeKind == "foreign") return "AAAAAAAAAAAA" + c.position.substr(12 < c.position.size() ? 12 : 0);
  return c.position;
}

static uint32_t nextId(Connection& c) {
  if (options.ids == Ids::Same) return 1;
  if (options.ids == Ids::Distinct) return ++nextDistinctId;
  return ++c.requestId;
}

static void subscribe(Connection& c) {
  c.subscription = Subscription::Asked;
  if (options.protocol == Protocol::Graphql) {
    c.requestId = nextId(c);
    putFrame(c, 1,
             "{\"id\":\"" + std::to_string(c.requestId) +
                 "\",\"type\":\"subscribe\",\"payload\":{\"query\":\"subscription { change }\"}}");
    c.subscription = Subscription::Live;
    endOpening(c, false);
    return;
  }
  c.requestId = nextId(c);
  const string position = positionToSay(c);
  putFrame(c, 1,
           "{\"id\":" + std::to_string(c.requestId) + ",\"method\":\"subscription\",\"params\":{\"path\":\"" +
               options.procedure + "\",\"input\":{\"json\":{\"projectId\":\"" + scopeName(c) + "\"}}" +
               (position.empty() ? "" : ",\"lastEventId\":\"" + position + "\"") + "}}");
}

static void live(Connection& c) {
  if (c.subscription == Subscription::Live) return;
  c.subscription = Subscription::Live;
  endOpening(c, false);
}

// ---------------------------------------------------------------- what a frame says

static const char* find(const char* from, const char* end, const char* what, size_t size) {
  return from >= end ? nullptr : static_cast<const char*>(memmem(from, size_t(end - from), what, size));
}
#define FIND(from, end, text) find(from, end, text, sizeof(text) - 1)

static bool starts(const char* from, const char* end, const char* what) {
  const size_t size = strlen(what);
  return end - from >= int64_t(size) && memcmp(from, what, size) == 0;
}

struct Mark {
  uint32_t key, n;
  int64_t us;
};

static uint64_t number(const char*& at, const char* end) {
  uint64_t value = 0;
  while (at < end && *at >= '0' && *at <= '9') value = value * 10 + uint64_t(*at++ - '0');
  return value;
}

/** `@@`, by its first letter: that one is rare, and looking for one letter is several times cheaper. */
static const char* findMark(const char* from, const char* end) {
  while (from < end) {
    const char* at = static_cast<const char*>(memchr(from, '@', size_t(end - from)));
    if (!at || at + 1 >= end) return nullptr;
    if (at[1] == '@') return at;
    from = at + 1;
  }
  return nullptr;
}

/** The kind of a frame of ours: what follows `snapshot_`. By the `_`, for the same reason. */
static const char* findKind(const char* from, const char* end) {
  for (const char* at = from + 8; at < end; at++) {
    at = static_cast<const char*>(memchr(at, '_', size_t(end - at)));
    if (!at) return nullptr;
    if (memcmp(at - 8, "snapshot", 8) == 0) return at + 1;
  }
  return nullptr;
}

/** The next mark at or after `at`; moves `at` behind it. */
static bool nextMark(const char*& at, const char* end, Mark& mark) {
  const char* found = findMark(at, end);
  if (!found) return false;
  at = found + 2;
  mark.key = uint32_t(number(at, end));
  if (at < end) at++;
  mark.n = uint32_t(number(at, end));
  if (at < end) at++;
  mark.us = int64_t(number(at, end));
  at += 2;
  if (int(mark.key) >= options.keys) fail("a mark with an unknown key");
  return true;
}

static int64_t arrivedUs = 0;  // when the bytes that are being read arrived

static void onFull(Connection& c, const char* from, const char* end) {
  counters.fulls++;
  std::fill(c.newestOf.begin(), c.newestOf.end(), 0);
  Mark mark{};
  while (nextMark(from, end, mark)) {
    c.newestOf[mark.key] = mark.n;
    advance(c, mark.n);
  }
}

static void onRemoved(Connection& c, const char* from, const char* end) {
  const char* at = FIND(from, end, "\"workspaceId\":\"w-");
  if (!at) return noteError(from, size_t(end - from));
  at += 17;
  const uint64_t key = number(at, end);
  if (int64_t(key) < options.keys) c.newestOf[key] = 0;
  counters.removed++;
}

static void onData(Connection& c, const char* from, const char* end) {
  if (options.protocol == Protocol::Trpc) {
    if (const char* id = FIND(from, end, "\"id\":\"")) {
      id += 6;
      const char* close = static_cast<const char*>(memchr(id, '"', size_t(end - id)));
      if (close) c.position.assign(id, size_t(close - id));
    }
  }
  const char* head = end - from > 300 ? from + 300 : end;
  if (const char* word = findKind(from, head)) {
    if (word + 3 < end) {
      if (*word == 'f') return onFull(c, from, end);
      if (word[0] == 'r' && word[2] == 'm') return onRemoved(c, from, end);
      if (word[0] == 'r' && word[2] == 's') {
        counters.resumed++;
        return;
      }
      if (*word != 'c') return;  // status, progress, ended: no change
    }
  }
  Mark mark{};
  if (!nextMark(from, end, mark)) return noteError(from, size_t(end - from));
  uint32_t& known = c.newestOf[mark.key];
  if (mark.n < known) counters.regressions++;
  if (mark.n == known) counters.duplicates++;
  known = mark.n;
  counters.deliveries++;
  if (!c.slow) counters.lag.add(arrivedUs - mark.us);
  advance(c, mark.n);
}

static void onTrpc(Connection& c, const char* from, const char* end) {
  if (end - from == 4 && starts(from, end, "PING")) return putFrame(c, 1, "PONG");
  const char* head = end - from > 160 ? from + 160 : end;
  const char* type = FIND(from, head, "\"type\":\"");
  const char* kind = type ? type + 8 : end;
  if (starts(kind, end, "data")) return onData(c, from, end);
  if (starts(kind, end, "started")) return live(c);
  if (starts(kind, end, "stopped")) {
    c.subscription = Subscription::None;
    return;
  }
  noteError(from, size_t(end - from));
}

static void onGraphql(Connection& c, const char* from, const char* end) {
  const char* head = end - from > 120 ? from + 120 : end;
  const char* type = FIND(from, head, "\"type\":\"");
  if (!type) return noteError(from, size_t(end - from));
  type += 8;
  if (starts(type, end, "next")) return onData(c, from, end);
  if (starts(type, end, "connection_ack")) return subscribe(c);
  if (starts(type, end, "ping")) return putFrame(c, 1, "{\"type\":\"pong\"}");
  noteError(from, size_t(end - from));
}

static void onSocketIo(Connection& c, const char* from, const char* end) {
  if (from == end) return;
  if (*from == '2') return putFrame(c, 1, "3");
  if (*from == '0') {
    c.subscription = Subscription::Asked;
    return putFrame(c, 1, "40");
  }
  if (starts(from, end, "40")) return live(c);
  if (starts(from, end, "42")) return onData(c, from, end);
  noteError(from, size_t(end - from));
}

static void onMessage(Connection& c, const char* from, const char* end) {
  counters.messages++;
  switch (options.protocol) {
    case Protocol::Trpc: return onTrpc(c, from, end);
    case Protocol::Graphql: return onGraphql(c, from, end);
    case Protocol::SocketIo: return onSocketIo(c, from, end);
    default: return onData(c, from, end);
  }
}

/** One event of a server-sent stream, without its empty line. */
static void onEvent(Connection& c, const char* from, const char* end) {
  counters.messages++;
  if (starts(from, end, "event: ")) {
    const char* event = from + 7;
    if (starts(event, end, "connected")) return live(c);
    if (starts(event, end, "ping")) return;
    return noteError(from, size_t(end - from));
  }
  if (const char* id = FIND(from, end, "id: ")) {
    // the id line stands before or after the data; a JSON text never holds this with a line break before it
    if (id == from || id[-1] == '\n') {
      id += 4;
      const char* close = static_cast<const char*>(memchr(id, '\n', size_t(end - id)));
      c.position.assign(id, size_t((close ? close : end) - id));
    }
  }
  if (FIND(from, end, "data:")) onData(c, from, end);
}

// ---------------------------------------------------------------- bytes

/** Each takes what is whole, and answers how many bytes it took. */
static size_t takeHttpHead(Connection& c, const char* data, size_t size) {
  const char* blank = FIND(data, data + size, "\r\n\r\n");
  if (!blank) return 0;
  const char* expected = options.protocol == Protocol::Sse ? "HTTP/1.1 200" : "HTTP/1.1 101";
  if (memcmp(data, expected, 12) != 0) {
    noteError(data, size);
    lost(c, "refused");
    return size;
  }
  c.state = State::Open;
  c.subscription = Subscription::Asked;
  if (options.protocol == Protocol::Trpc) subscribe(c);
  if (options.protocol == Protocol::Graphql) putFrame(c, 1, "{\"type\":\"connection_init\"}");
  if (options.protocol == Protocol::Ws) live(c);
  return size_t(blank + 4 - data);
}

static size_t takeWebSocket(Connection& c, const char* data, size_t size) {
  size_t at = 0;
  while (size - at >= 2 && c.state == State::Open) {
    const auto* head = reinterpret_cast<const unsigned char*>(data + at);
    uint64_t length = head[1] & 127;
    size_t header = 2;
    if (length == 126) {
      if (size - at < 4) break;
      length = uint64_t(head[2]) << 8 | head[3];
      header = 4;
    } else if (length == 127) {
      if (size - at < 10) break;
      length = 0;
      for (int byte = 2; byte < 10; byte++) length = length << 8 | head[byte];
      header = 10;
    }
    if (size - at < header + length) break;
    const char* from = data + at + header;
    const char* end = from + length;
    const int opcode = head[0] & 15;
    const bool last = head[0] & 128;
    at += header + length;
    if (opcode == 9) {
      putFrame(c, 10, string(from, end));
    } else if (opcode == 8) {
      lost(c, length >= 2 ? std::to_string((uint8_t(from[0]) << 8) | uint8_t(from[1])).c_str() : "1005");
    } else if (opcode <= 2) {
      if (last && c.text.empty()) {
        onMessage(c, from, end);
      } else {
        c.text.append(from, end);
        if (last) {
          string whole;
          whole.swap(c.text);
          onMessage(c, whole.data(), whole.data() + whole.size());
        }
      }
    }
  }
  return c.state == State::Open ? at : size;
}

/** Length (4 bytes, little-endian), then so many bytes. */
static size_t takeNet(Connection& c, const char* data, size_t size) {
  size_t at = 0;
  while (size - at >= 4) {
    uint32_t length;
    memcpy(&length, data + at, 4);
    if (size - at < 4 + size_t(length)) break;
    onMessage(c, data + at + 4, data + at + 4 + length);
    at += 4 + length;
  }
  return at;
}

static size_t takeSse(Connection& c, const char* data, size_t size) {
  size_t at = 0;
  while (at < size) {
    if (c.chunkLeft == 0) {
      const char* line = FIND(data + at, data + size, "\r\n");
      if (!line) break;
      c.chunkLeft = strtoll(data + at, nullptr, 16) + 2;  // with the line end behind it
      if (c.chunkLeft == 2) {
        lost(c, "the response ended");
        return size;
      }
      at = size_t(line + 2 - data);
      continue;
    }
    const size_t take = size_t(c.chunkLeft) < size - at ? size_t(c.chunkLeft) : size - at;
    const size_t lineEnd = size_t(c.chunkLeft) - take >= 2 ? 0 : 2 - (size_t(c.chunkLeft) - take);
    if (take > lineEnd) c.text.append(data + at, take - lineEnd);
    c.chunkLeft -= int64_t(take);
    at += take;
  }
  size_t from = 0;
  for (size_t blank; (blank = c.text.find("\n\n", from)) != string::npos; from = blank + 2) {
    if (blank > from) onEvent(c, c.text.data() + from, c.text.data() + blank);
  }
  c.text.erase(0, from);
  return at;
}

static size_t take(Connection& c, const char* data, size_t size) {
  size_t at = 0;
  if (c.state == State::Upgrading) {
    at = takeHttpHead(c, data, size);
    if (at == 0 || c.state != State::Open) return at;
  }
  switch (options.protocol) {
    case Protocol::Net: return at + takeNet(c, data + at, size - at);
    case Protocol::Sse: return at + takeSse(c, data + at, size - at);
    default: return at + takeWebSocket(c, data + at, size - at);
  }
}

static char incoming[256 * 1024];

static void onReadable(Connection& c) {
  const ssize_t got = recv(c.fd, incoming, sizeof incoming, 0);
  if (got == 0) return lost(c, "ended by the server");
  if (got < 0) {
    if (errno != EAGAIN && errno != EINTR) lost(c, strerror(errno));
    return;
  }
  arrivedUs = nowUs();
  counters.bytes += uint64_t(got);
  counters.reads++;
  if (c.rest.empty()) {
    const size_t taken = take(c, incoming, size_t(got));
    if (c.state != State::Closed && taken < size_t(got)) c.rest.assign(incoming + taken, size_t(got) - taken);
    return;
  }
  c.rest.append(incoming, size_t(got));
  string rest;
  rest.swap(c.rest);
  const size_t taken = take(c, rest.data(), rest.size());
  if (c.state != State::Closed && taken < rest.size()) {
    rest.erase(0, taken);
    c.rest.swap(rest);
  }
}

static void percentEncode(string& into, const string& text) {
  char hex[4];
  for (const unsigned char c : text) {
    if (isalnum(c) || c == '-' || c == '_' || c == '.') {
      into += char(c);
    } else {
      snprintf(hex, sizeof hex, "%%%02X", c);
      into += hex;
    }
  }
}

static void onConnected(Connection& c) {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(c.fd, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error) return lost(c, strerror(error));
  if (options.protocol == Protocol::Net) {
    c.state = State::Open;
    interest(c);
    return live(c);
  }
  c.state = State::Upgrading;
  interest(c);
  string head = "GET " + options.path;
  if (options.protocol == Protocol::Sse) {
    head += "/" + options.procedure + "?input=";
    percentEncode(head, "{\"json\":{\"projectId\":\"" + scopeName(c) + "\"}}");
  }
  head += " HTTP/1.1\r\nHost: " + options.host + ":" + std::to_string(options.port) + "\r\n";
  if (options.protocol == Protocol::Sse) {
    const string position = positionToSay(c);
    head += "Accept: text/event-stream\r\n";
    if (!position.empty()) head += "Last-Event-ID: " + position + "\r\n";
  } else {
    head += "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    if (options.protocol == Protocol::Graphql) head += "Sec-WebSocket-Protocol: graphql-transport-ws\r\n";
  }
  put(c, head + "\r\n");
}

static void open(Connection& c) {
  if (options.ids == Ids::Counting && c.position.empty()) c.requestId = 0;
  c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  if (c.fd < 0) fail(string("socket: ") + strerror(errno));
  const int on = 1;
  setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (c.slow) {
    // Segments and a window as on a real network, so that the kernel holds kilobytes for a stalled client, not megabytes.
    const int segment = 1400, window = 8192;
    setsockopt(c.fd, IPPROTO_TCP, TCP_MAXSEG, &segment, sizeof segment);
    setsockopt(c.fd, SOL_SOCKET, SO_RCVBUF, &window, sizeof window);
  }
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(uint16_t(options.port));
  inet_pton(AF_INET, options.host.c_str(), &to.sin_addr);
  c.state = State::Connecting;
  beginOpening(c);
  if (connect(c.fd, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0 && errno != EINPROGRESS) {
    watchFor(c, 0, EPOLL_CTL_ADD);
    return lost(c, strerror(errno));
  }
  watchFor(c, EPOLLOUT, EPOLL_CTL_ADD);
}

static void openMore() {
  while (!toOpen.empty() && opening < options.concurrency) {
    Connection& c = all[size_t(toOpen.front())];
    toOpen.pop_front();
    if (c.state == State::Closed) open(c);
  }
}

static void onEvents(Connection& c, uint32_t events) {
  if (c.fd < 0) return;
  if (c.state == State::Connecting) return onConnected(c);
  if (events & EPOLLOUT) {
    const ssize_t sent = send(c.fd, c.out.data(), c.out.size(), MSG_NOSIGNAL);
    if (sent > 0) c.out.erase(0, size_t(sent));
    if (c.out.empty()) interest(c);
  }
  if (events & EPOLLIN) return onReadable(c);
  if (events & (EPOLLERR | EPOLLHUP)) lost(c, "reset");
}

// ---------------------------------------------------------------- replicas

static uint32_t mix(uint32_t a, uint32_t b) {
  uint32_t x = a * 0x9e3779b1u ^ b;
  x = (x ^ (x >> 16)) * 0x85ebca6bu;
  x = (x ^ (x >> 13)) * 0xc2b2ae35u;
  return x ^ (x >> 16);
}

/** The same sum as lib/digest.mjs makes of a store. */
static string digestOf(const Connection& c) {
  uint32_t one = 0, two = 0, size = 0;
  for (uint32_t key = 0; key < c.newestOf.size(); key++) {
    const uint32_t n = c.newestOf[key];
    if (n == 0) continue;
    one += mix(key + 1, n);
    two += mix(n, key + 0x51ed27u);
    size++;
  }
  char text[40];
  snprintf(text, sizeof text, "%u:%08x%08x", size, one, two);
  return text;
}

// ---------------------------------------------------------------- commands

static string waitingFor;       // the command that is not answered yet
static int64_t waitingSince = 0, subscribedAt = 0;
static uint32_t waitingTarget = 0;
static double churnPerSecond = 0;
static int64_t churnNext = 0;
static std::mt19937 randomness(1);

static void answer(const string& fields) {
  printf("{\"reply\":\"%s\"%s%s}\n", waitingFor.c_str(), fields.empty() ? "" : ",", fields.c_str());
  fflush(stdout);
  waitingFor.clear();
}

static string field(const char* name, uint64_t value) {
  return string("\"") + name + "\":" + std::to_string(value);
}

static string summary() {
  uint64_t open = 0, subscribed = 0, stalled = 0, failed = 0;
  std::map<std::pair<int, string>, std::pair<int, int>> digests;
  for (const auto& c : all) {
    open += c.state == State::Open;
    subscribed += c.subscription == Subscription::Live;
    stalled += c.stalled;
    failed += c.failed;
    auto& entry = digests[{c.scope, digestOf(c)}];
    entry.first++;
    entry.second = c.index;
  }
  string text = field("connections", all.size()) + "," + field("open", open) + "," + field("subscribed", subscribed) + "," +
                field("stalled", stalled) + "," + field("failed", failed);
  const auto& k = counters;
  const std::pair<const char*, uint64_t> counts[] = {
      {"deliveries", k.deliveries}, {"messages", k.messages}, {"bytes", k.bytes},           {"reads", k.reads},
      {"fulls", k.fulls},           {"resumed", k.resumed},   {"removed", k.removed},       {"errors", k.errors},
      {"closed", k.closed},         {"drops", k.drops},       {"stops", k.stops},           {"stalls", k.stalls},
      {"resumes", k.resumes},       {"duplicates", k.duplicates}, {"regressions", k.regressions},
  };
  for (const auto& [name, value] : counts) text += "," + field(name, value);
  text += ",\"firstError\":\"" + k.firstError + "\"";
  text += "," + field("wallUs", uint64_t(nowUs() - k.sinceUs)) + "," + field("cpuUs", uint64_t(cpuUs() - k.cpuAtUs));
  text += ",\"lagUs\":{" + field("count", k.lag.count) + "," + field("p50", uint64_t(k.lag.percentile(0.5))) + "," +
          field("p90", uint64_t(k.lag.percentile(0.9))) + "," + field("p99", uint64_t(k.lag.percentile(0.99))) + "," +
          field("p999", uint64_t(k.lag.percentile(0.999))) + "," + field("max", uint64_t(k.lag.max)) + "}";
  text += ",\"digests\":[";
  bool first = true;
  for (const auto& [of, entry] : digests) {
    text += string(first ? "" : ",") + "{" + field("scope", uint64_t(of.first)) + ",\"digest\":\"" + of.second + "\"," +
            field("count", uint64_t(entry.first)) + "," + field("example", uint64_t(entry.second)) + "}";
    first = false;
  }
  return text + "]";
}

static void setStalled(Connection& c, bool stalled) {
  if (c.state != State::Open || c.stalled == stalled) return;
  c.stalled = stalled;
  interest(c);
}

/** Everybody is there, or has failed; for a resume also: has what was published meanwhile. */
static void answerWhenDone() {
  if (waitingFor.empty()) return;
  int64_t up = 0, behind = 0;
  for (const auto& c : all) {
    if (c.subscription == Subscription::Live || c.failed) up++;
    if (c.newest < waitingTarget && !c.failed) behind++;
  }
  if (up < int64_t(all.size())) {
    if (waitingFor == "calm") {  // a socket whose subscription was being stopped is ready for the next one
      for (auto& c : all) {
        if (c.state == State::Open && c.subscription == Subscription::None) {
          beginOpening(c);
          subscribe(c);
        }
        if (c.state == State::Closed && !c.opening && !c.failed) open(c);
      }
    }
    return;
  }
  if (subscribedAt == 0) subscribedAt = nowUs();
  if (behind > 0) return;
  recount();
  answer(field("subscribedUs", uint64_t(subscribedAt - waitingSince)) + "," +
         field("doneUs", uint64_t(nowUs() - waitingSince)) + "," + summary());
}

static void waitFor(const string& command, uint32_t target) {
  waitingFor = command;
  waitingSince = nowUs();
  subscribedAt = 0;
  waitingTarget = target;
}

static void openAll() {
  for (auto& c : all)
    if (c.state == State::Closed) toOpen.push_back(c.index);
}

static double roll() { return std::uniform_real_distribution<double>(0, 1)(randomness); }

/** One random thing happens to one connection; what an earlier one broke is mended. */
static void churnOnce() {
  Connection& c = all[size_t(roll() * double(all.size())) % all.size()];
  if (c.opening || c.subscription == Subscription::Stopping) return;
  if (c.stalled) return setStalled(c, false);
  const double how = roll();
  if (c.state == State::Closed || c.subscription == Subscription::None) {
    resumeKind = how < 0.7 ? "valid" : how < 0.85 ? "none" : "foreign";
    if (positionToSay(c).empty()) c.position.clear();
    counters.resumes++;
    if (c.state == State::Closed) return open(c);
    beginOpening(c);
    return subscribe(c);
  }
  if (how < 0.35) {
    counters.stalls++;
    setStalled(c, true);
  } else if (how < 0.65 && options.protocol == Protocol::Trpc) {
    counters.stops++;
    c.subscription = Subscription::Stopping;
    putFrame(c, 1, "{\"id\":" + std::to_string(c.requestId) + ",\"method\":\"subscription.stop\"}");
  } else {
    counters.drops++;
    closeNow(c);
  }
}

static void churnTick() {
  if (churnPerSecond <= 0) return;
  const int64_t now = nowUs();
  while (churnNext <= now) {
    churnOnce();
    churnNext += int64_t(1e6 / churnPerSecond);
  }
}

static void command(const string& line) {
  const size_t space = line.find(' ');
  const string name = line.substr(0, space);
  const string rest = space == string::npos ? "" : line.substr(space + 1);
  if (name == "quit") {
    for (auto& c : all) closeNow(c);
    exit(0);
  }
  waitFor(name, 0);
  if (name == "connect" || name == "calm") {
    churnPerSecond = 0;
    resumeKind = "valid";
    for (auto& c : all) setStalled(c, false);
    return openAll();
  }
  if (name == "drop") {
    for (auto& c : all) closeNow(c);
    recount();
    return answer("");
  }
  if (name == "resume") {
    const size_t next = rest.find(' ');
    resumeKind = rest.substr(0, next);
    waitingTarget = next == string::npos ? 0 : uint32_t(strtoul(rest.c_str() + next, nullptr, 10));
    counters = Counters();
    if (resumeKind != "valid") {  // what it knew counts for nothing: it must be told anew
      for (auto& c : all) {
        std::fill(c.newestOf.begin(), c.newestOf.end(), 0);
        c.newest = 0;
      }
    }
    return openAll();
  }
  if (name == "reset") {
    counters = Counters();
    return answer("");
  }
  if (name == "report") return answer(summary());
  if (name == "stall" || name == "release") {
    for (auto& c : all)
      if (c.slow) setStalled(c, name == "stall");
    recount();
    return answer("");
  }
  if (name == "churn") {
    char* end = nullptr;
    churnPerSecond = strtod(rest.c_str(), &end);
    randomness.seed(uint32_t(strtoul(end, nullptr, 10)));
    churnNext = nowUs();
    acking = false;
    return answer("");
  }
  if (name == "dump") {
    const Connection& c = all.at(strtoul(rest.c_str(), nullptr, 10));
    string text = field("scope", uint64_t(c.scope)) + ",\"position\":\"" + c.position + "\",\"keys\":{";
    bool first = true;
    for (size_t key = 0; key < c.newestOf.size(); key++) {
      if (c.newestOf[key] == 0) continue;
      text += string(first ? "" : ",") + field(std::to_string(key).c_str(), c.newestOf[key]);
      first = false;
    }
    return answer(text + "}");
  }
  fail("unknown command " + name);
}

static void readCommands() {
  static string pending;
  char bytes[4096];
  const ssize_t got = read(0, bytes, sizeof bytes);
  if (got == 0) exit(0);  // whoever started us is gone
  if (got < 0) return;
  pending.append(bytes, size_t(got));
  for (size_t end; (end = pending.find('\n')) != string::npos; pending.erase(0, end + 1)) {
    if (end > 0) command(pending.substr(0, end));
  }
}

// ---------------------------------------------------------------- main

static void readOptions(int count, char** words) {
  const std::map<string, Protocol> protocols = {
      {"trpc", Protocol::Trpc},          {"sse", Protocol::Sse}, {"graphql-ws", Protocol::Graphql},
      {"socket.io", Protocol::SocketIo}, {"ws", Protocol::Ws},   {"net", Protocol::Net},
  };
  const std::map<string, Ids> ids = {{"counting", Ids::Counting}, {"same", Ids::Same}, {"distinct", Ids::Distinct}};
  for (int at = 1; at + 1 < count; at += 2) {
    const string name = words[at], value = words[at + 1];
    if (name == "--host") options.host = value;
    else if (name == "--port") options.port = atoi(words[at + 1]);
    else if (name == "--protocol") options.protocol = protocols.at(value);
    else if (name == "--connections") options.connections = atoi(words[at + 1]);
    else if (name == "--path") options.path = value;
    else if (name == "--procedure") options.procedure = value;
    else if (name == "--scopes") options.scopes = atoi(words[at + 1]);
    else if (name == "--keys") options.keys = atoi(words[at + 1]);
    else if (name == "--ids") options.ids = ids.at(value);
    else if (name == "--stalled") options.stalled = atof(words[at + 1]);
    else if (name == "--ack") options.ack = value;
    else if (name == "--ack-step") options.ackStep = atoi(words[at + 1]);
    else if (name == "--concurrency") options.concurrency = atoi(words[at + 1]);
    else fail("unknown option " + name);
  }
}

int main(int count, char** words) {
  readOptions(count, words);
  rlimit files;
  getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  setrlimit(RLIMIT_NOFILE, &files);
  epollFd = epoll_create1(0);
  fcntl(0, F_SETFL, fcntl(0, F_GETFL) | O_NONBLOCK);
  epoll_event stdinEvent{};
  stdinEvent.events = EPOLLIN;
  stdinEvent.data.u32 = UINT32_MAX;
  epoll_ctl(epollFd, EPOLL_CTL_ADD, 0, &stdinEvent);

  if (!options.ack.empty()) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    strncpy(to.sun_path, options.ack.c_str(), sizeof to.sun_path - 1);
    ackFd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(ackFd, reinterpret_cast<sockaddr*>(&to), sizeof to) < 0) fail("the ack socket is not there");
    fcntl(ackFd, F_SETFL, O_NONBLOCK);
  }

  all.resize(size_t(options.connections));
  for (size_t at = 0; at < all.size(); at++) {
    all[at].index = int(at);
    all[at].scope = int(at) % options.scopes;
    all[at].newestOf.assign(size_t(options.keys), 0);
    // Spread evenly: of every ten, one, for a share of 0.1.
    all[at].slow = int64_t(double(at + 1) * options.stalled + 1e-9) > int64_t(double(at) * options.stalled + 1e-9);
  }

  epoll_event events[1024];
  for (;;) {
    const int ready = epoll_wait(epollFd, events, 1024, churnPerSecond > 0 ? 5 : waitingFor == "calm" ? 20 : -1);
    for (int at = 0; at < ready; at++) {
      if (events[at].data.u32 == UINT32_MAX) readCommands();
      else onEvents(all[events[at].data.u32], events[at].events);
    }
    churnTick();
    openMore();
    answerWhenDone();
    sendAck();
  }
}
