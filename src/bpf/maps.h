// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// What the kernel's side remembers. src/watch/sensor/programs.rs reads and writes some of it, by these names and layouts.

#define MAX_CGROUPS 16384
#define MAX_CONTAINERS 4096

struct {
    __uint(type, BPF_MAP_TYPE_RINGBUF);
    __uint(max_entries, 1 << 20);
} events SEC(".maps");

struct container {
    char id[ID];
    __u64 runtime; // mount namespace of whoever put its first process in
    __u64 execs, network, names;              // told
    __u64 untold_execs, untold_network;       // beyond the budget
};

// Every cgroup of a container, nested ones too.
struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MAX_CGROUPS);
    __type(key, __u64);
    __type(value, __u64);
} owners SEC(".maps");

struct {
    __uint(type, BPF_MAP_TYPE_HASH);
    __uint(max_entries, MAX_CONTAINERS);
    __type(key, __u64);
    __type(value, struct container);
} containers SEC(".maps");

enum { TOLD = 1, PENDING = 2 };
struct process { __u64 owner; __u64 flags; };

// Processes whose end is told, and those put in from outside whose first program is still to come.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, __u32);
    __type(value, struct process);
} processes SEC(".maps");

struct seen { __u64 owner, first, second; __u32 port; __u16 protocol; __u16 action; };

// What was told of a container is not told again.
struct {
    __uint(type, BPF_MAP_TYPE_LRU_HASH);
    __uint(max_entries, 16384);
    __type(key, struct seen);
    __type(value, __u8);
} told SEC(".maps");

enum { LOST, UNTOLD, UNKNOWN, COUNTERS };
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, COUNTERS);
    __type(key, __u32);
    __type(value, __u64);
} counters SEC(".maps");

// The process whose children are told as PROBE: the sensor trying itself.
struct {
    __uint(type, BPF_MAP_TYPE_ARRAY);
    __uint(max_entries, 1);
    __type(key, __u32);
    __type(value, __u64);
} prober SEC(".maps");

// Set by the loader.
const volatile __u32 hierarchy = 0; // the one that is followed; 0 is cgroup2
const volatile __s32 subsystem = -1; // without cgroup2: a controller of that hierarchy
const volatile __u64 host_mounts = 0; // the host's mount namespace; 0 if it is not known
const volatile __u64 budget = 64;
