#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <vector>

#include "platform/process/confine_linux.hpp"

// The filter refuses what a decoder never needs. A list of permitted calls would be stricter, but
// would break with every new version of some hundred libraries that stand behind the decoders.
namespace millrace::process {
namespace {

#if defined(__x86_64__)
constexpr unsigned kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr unsigned kArch = AUDIT_ARCH_AARCH64;
#else
constexpr unsigned kArch = 0;  // no filter
#endif
constexpr unsigned kX32Bit = 0x40000000;  // the second ABI of x86_64 has numbers of its own

constexpr unsigned kRefuse = SECCOMP_RET_ERRNO | EPERM;
constexpr unsigned kAbsent = SECCOMP_RET_ERRNO | ENOSYS;

constexpr std::array kRefused{
    // network and other ways to talk
    SYS_socket,
    SYS_socketpair,
    SYS_connect,
    SYS_bind,
    SYS_listen,
    SYS_accept,
    SYS_accept4,
    SYS_sendto,
    SYS_sendmsg,
    SYS_sendmmsg,
    SYS_recvmsg,
    SYS_recvmmsg,
    SYS_shmget,
    SYS_shmat,
    SYS_msgget,
    SYS_semget,
    SYS_mq_open,
    // programs and processes
    SYS_execve,
    SYS_execveat,
    SYS_ptrace,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kill,
    SYS_tkill,
    SYS_rt_sigqueueinfo,
    SYS_rt_tgsigqueueinfo,
    SYS_pidfd_open,
    SYS_pidfd_send_signal,
    SYS_pidfd_getfd,
    SYS_kcmp,
    SYS_setpriority,
    SYS_ioprio_set,
    SYS_setsid,
    SYS_setpgid,
    SYS_setns,
    SYS_unshare,
    // lengths of files, which Landlock watches from version 3 on
    SYS_truncate,
    // identity and attributes of files, which Landlock does not watch
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setgroups,
    SYS_capset,
    SYS_fchmod,
    SYS_fchmodat,
    SYS_fchown,
    SYS_fchownat,
    SYS_setxattr,
    SYS_lsetxattr,
    SYS_fsetxattr,
    SYS_removexattr,
    SYS_lremovexattr,
    SYS_fremovexattr,
    SYS_utimensat,
    SYS_linkat,
    SYS_symlinkat,
    SYS_mknodat,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_chroot,
    SYS_flock,
#if defined(__x86_64__)
    SYS_fork,
    SYS_vfork,
    SYS_chmod,
    SYS_chown,
    SYS_lchown,
    SYS_utime,
    SYS_utimes,
    SYS_futimesat,
    SYS_link,
    SYS_symlink,
    SYS_mknod,
    SYS_modify_ldt,
    SYS_iopl,
    SYS_ioperm,
    SYS_uselib,
#endif
    // the machine
    SYS_mount,
    SYS_umount2,
    SYS_pivot_root,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fspick,
    SYS_swapon,
    SYS_swapoff,
    SYS_reboot,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_adjtimex,
    SYS_clock_adjtime,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_fanotify_init,
    SYS_personality,
    SYS_landlock_create_ruleset,
    SYS_landlock_add_rule,
    SYS_landlock_restrict_self,
};

// "Not there" makes a library take its older way: clone3 and openat2 hide their flags behind a
// pointer, and io_uring performs calls that no filter sees.
constexpr std::array kMissing{SYS_clone3, SYS_openat2, SYS_io_uring_setup, SYS_io_uring_enter,
                              SYS_io_uring_register};
// Calls from here on (Linux 6.5, cachestat) are younger than this list: some do in a new way what
// it refuses (fchmodat2, setxattrat). Every library still works on kernels without them. The
// numbers are the same on both architectures.
constexpr unsigned kFirstUnknown = 451;

constexpr unsigned kNumberAt = offsetof(seccomp_data, nr);
constexpr unsigned kArchAt = offsetof(seccomp_data, arch);
// Low half of an argument: both architectures here are little-endian.
constexpr unsigned argument_at(unsigned index) {
  return static_cast<unsigned>(offsetof(seccomp_data, args)) + 8 * index;
}

class Filter {
 public:
  void load(unsigned at) { add(BPF_LD | BPF_W | BPF_ABS, at); }
  void answer(unsigned verdict) { add(BPF_RET | BPF_K, verdict); }
  void answer_if(unsigned value, unsigned verdict) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1);
    answer(verdict);
  }
  void answer_unless(unsigned value, unsigned verdict) {
    add(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0);
    answer(verdict);
  }
  void answer_from(unsigned value, unsigned verdict) {
    add(BPF_JMP | BPF_JGE | BPF_K, value, 0, 1);
    answer(verdict);
  }
  void keep_bits(unsigned bits) { add(BPF_ALU | BPF_AND | BPF_K, bits); }
  void answer_if_any_bit(unsigned bits, unsigned verdict) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, 0, 1);
    answer(verdict);
  }
  void answer_unless_any_bit(unsigned bits, unsigned verdict) {
    add(BPF_JMP | BPF_JSET | BPF_K, bits, 1, 0);
    answer(verdict);
  }
  // `rule` stands only for calls with this number, and ends in an answer for each of them.
  template <typename Rule>
  void for_call(long number, Rule rule) {
    const std::size_t jump = code_.size();
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<unsigned>(number), 0, 0);
    rule(*this);
    code_[jump].jf = static_cast<unsigned char>(code_.size() - jump - 1);
  }
  bool install() {
    const sock_fprog program{static_cast<unsigned short>(code_.size()), code_.data()};
    return ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program, 0, 0) == 0;
  }

 private:
  void add(unsigned operation, unsigned k, unsigned char yes = 0, unsigned char no = 0) {
    code_.push_back(sock_filter{static_cast<unsigned short>(operation), yes, no, k});
  }
  std::vector<sock_filter> code_;
};

// An argument must have this value (its low half; the upper half of an int is not looked at by the
// kernel either).
auto only_with(unsigned index, unsigned value) {
  return [=](Filter& filter) {
    filter.load(argument_at(index));
    filter.answer_unless(value, kRefuse);
    filter.answer(SECCOMP_RET_ALLOW);
  };
}

void refuse_terminal_input(Filter& filter) {
  filter.load(argument_at(1));
  filter.answer_if(TIOCSTI, kRefuse);
  filter.answer_if(TIOCLINUX, kRefuse);
  filter.answer(SECCOMP_RET_ALLOW);
}

// A descriptor that is ready sends a signal to whatever process is set as its owner.
void refuse_owners_of_descriptors(Filter& filter) {
  filter.load(argument_at(1));
  filter.answer_if(F_SETOWN, kRefuse);
  filter.answer_if(F_SETOWN_EX, kRefuse);
  filter.answer_if(F_SETSIG, kRefuse);
  filter.answer(SECCOMP_RET_ALLOW);
}

// Landlock before version 3 looks at the right to write only where an opened file can be written:
// O_TRUNC beside O_RDONLY, or beside the fourth access mode, which permits neither, gets past it.
auto refuse_truncation_without_writing(unsigned flags_index) {
  return [=](Filter& filter) {
    filter.load(argument_at(flags_index));
    filter.keep_bits(O_TRUNC | O_ACCMODE);
    filter.answer_if(O_TRUNC | O_RDONLY, kRefuse);
    filter.answer_if(O_TRUNC | O_ACCMODE, kRefuse);
    filter.answer(SECCOMP_RET_ALLOW);
  };
}

void permit_threads_only(Filter& filter) {
  filter.load(argument_at(0));
  filter.answer_unless_any_bit(CLONE_THREAD, kRefuse);
  filter.answer(SECCOMP_RET_ALLOW);
}

}  // namespace

bool confine_system_calls() {
  if (kArch == 0) return false;
  Filter filter;
  filter.load(kArchAt);
  filter.answer_unless(kArch, SECCOMP_RET_KILL_PROCESS);
  filter.load(kNumberAt);
  filter.answer_if_any_bit(kX32Bit, kRefuse);
  filter.answer_from(kFirstUnknown, kAbsent);
  for (const long number : kRefused) filter.answer_if(static_cast<unsigned>(number), kRefuse);
  for (const long number : kMissing) filter.answer_if(static_cast<unsigned>(number), kAbsent);
  filter.for_call(SYS_clone, permit_threads_only);
  filter.for_call(SYS_ioctl, refuse_terminal_input);
  filter.for_call(SYS_fcntl, refuse_owners_of_descriptors);
  filter.for_call(SYS_openat, refuse_truncation_without_writing(2));
#if defined(__x86_64__)
  filter.for_call(SYS_open, refuse_truncation_without_writing(1));
#endif
  // abort() and raise() signal the own process; limits are set for oneself (0) only.
  filter.for_call(SYS_tgkill, only_with(0, static_cast<unsigned>(::getpid())));
  filter.for_call(SYS_prlimit64, only_with(0, 0));
  filter.answer(SECCOMP_RET_ALLOW);
  return filter.install();
}

}  // namespace millrace::process
