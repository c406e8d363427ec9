// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
//
// The kernel's own, as far as it is used: the loader moves the offsets to those of the running kernel.

#define AF_INET 2
#define AF_INET6 10
#define SOCK_RAW 3
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17

enum { ESTABLISHED = 1, SYN_SENT = 2, SYN_RECV = 3, CLOSE = 7, LISTENING = 10 }; // TCP's states

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct kernfs_node { __u64 id; struct kernfs_node *parent; const char *name; };
// Since 6.15 the parent of a node is read under RCU and has another name.
struct kernfs_node___new { struct kernfs_node *__parent; };
struct cgroup_root { int hierarchy_id; };
struct cgroup { struct kernfs_node *kn; struct cgroup_root *root; };
struct cgroup_subsys_state { struct cgroup *cgroup; };
struct css_set { struct cgroup_subsys_state *subsys[1]; struct cgroup *dfl_cgrp; };
struct ns_common { unsigned int inum; };
struct mnt_namespace { struct ns_common ns; };
struct nsproxy { struct mnt_namespace *mnt_ns; };
struct upid { int nr; };
struct pid { unsigned int level; struct upid numbers[1]; };
struct cred { struct { unsigned int val; } euid; };
struct mm_struct { unsigned long arg_start; unsigned long arg_end; };
struct task_struct {
    int pid;
    int tgid;
    char comm[16];
    struct css_set *cgroups;
    struct nsproxy *nsproxy;
    struct pid *thread_pid;
    struct task_struct *real_parent;
    struct mm_struct *mm;
    const struct cred *cred;
};
struct linux_binprm { const char *filename; };
struct in6_addr { __u8 bytes[16]; } __attribute__((__may_alias__));
struct sock_common {
    __be32 skc_daddr;
    __be32 skc_rcv_saddr;
    __be16 skc_dport;
    __u16 skc_num;
    unsigned short skc_family;
    struct in6_addr skc_v6_daddr;
    struct in6_addr skc_v6_rcv_saddr;
};
struct sock_cgroup_data { struct cgroup *cgroup; };
// Before 5.15: a pointer whose low bits are flags, or a class in its place if bit 0 is set.
struct sock_cgroup_data___old { __u64 val; };
struct sock { struct sock_common __sk_common; __u16 sk_protocol; struct sock_cgroup_data sk_cgrp_data; };

#pragma clang attribute pop
