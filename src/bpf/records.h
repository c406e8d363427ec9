// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What user space is told. src/watch/sensor/record.rs reads these and must agree with them.

#define ID 64           // hex digits of a container's id
#define PATH 256        // most bytes of a program's path that are kept
#define ARGS 1024       // most bytes of its arguments
#define QUESTION 272    // a DNS header, the longest name, type and class

enum kind { APPEARED = 1, ENTERED, EXEC, EXITED, NETWORK, DNS, GONE, PROBE };
enum action { CONNECT = 1, CONNECTED, REFUSED, LISTEN, ACCEPT, SEND, BIND, OPEN };

struct head {
    __u64 time;  // nanoseconds since boot
    __u64 owner; // the container, by the id of its own cgroup
    __u32 kind;
    __u32 pid; // of the process, in the host's terms; 0 if nobody's
};

struct appeared { struct head head; char id[ID]; };
struct entered { struct head head; char comm[16]; };
struct exec {
    struct head head;
    __u32 parent, inner_pid, uid;
    __u32 path; // bytes, with the end
    __u32 args; // bytes
    __u32 cut;  // not all arguments are here
    char bytes[PATH + ARGS];
};
struct ends {
    __u8 local[16], remote[16];
    __u16 local_port, remote_port; // the host's byte order
    __u16 family, protocol;
};
struct network { struct head head; struct ends ends; __u32 action; __u32 reserved; char comm[16]; };
struct question { struct head head; struct ends ends; __u32 length; __u32 reserved; char bytes[QUESTION]; };
