/** Loads a device program and attaches it to a cgroup (bpf(2) BPF_PROG_LOAD, BPF_PROG_ATTACH). */
import { TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../linux/open-flags.ts'
import { OwnedFd } from '../native/owned-fd.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'

type Batch = ReturnType<typeof newBatch>

const BPF_PROG_LOAD = 5
const BPF_PROG_ATTACH = 8
const BPF_PROG_GET_FD_BY_ID = 13
const BPF_OBJ_GET_INFO_BY_FD = 15
const BPF_PROG_QUERY = 16
const BPF_PROG_TYPE_CGROUP_DEVICE = 15n
const BPF_CGROUP_DEVICE = 6n
const BPF_F_ALLOW_MULTI = 2n
const BPF_F_REPLACE = 4n
const LOAD_ATTRIBUTE_SIZE = 72
const ATTACH_ATTRIBUTE_SIZE = 20
const QUERY_ATTRIBUTE_SIZE = 32
const ID_ATTRIBUTE_SIZE = 12
const INFO_ATTRIBUTE_SIZE = 16
/** struct bpf_prog_info up to its `name`, which is at 64. */
const INFO_SIZE = 80
const INFO_NAME = 64
/** How a program of ours is told from systemd's and others' (at most 15 letters, digits, `_` and `.`). */
const PROGRAM_NAME = 'tsrun_devices'
const MAX_QUERIED = 16
const SIG_SETMASK = 2
const SIGNAL_SET_SIZE = 8

// A loaded program can serve any number of cgroups, and most containers have the same rules:
// verifying it again would cost each half a millisecond.
const loaded = new Map<string, OwnedFd>()
const MAX_KEPT = 16

/**
 * Puts `program` in charge of device access in the cgroup at `path`, for as long as that lives.
 * Throws `permission-denied` without CAP_BPF.
 */
export function attachDeviceFilter(path: string, program: Uint8Array): void {
  attach(path, loadedProgram(path, program).fd)
}

/**
 * Puts `program` in the place of the one that {@link attachDeviceFilter} put there, at once: no access is
 * judged by neither or by both. Those of others (systemd has one for DevicePolicy=) stay. Throws
 * `failed-precondition` when the cgroup has not exactly one of ours.
 */
export function replaceDeviceFilter(path: string, program: Uint8Array): void {
  const ours: OwnedFd[] = []
  try {
    for (const id of attachedPrograms(path)) {
      const fd = programById(path, id)
      if (nameOf(path, fd.fd) === PROGRAM_NAME) ours.push(fd)
      else fd.close()
    }
    const [former] = ours
    if (former === undefined || ours.length > 1) {
      throw new TsrunError(
        'failed-precondition',
        `cannot change the device rules of the cgroup ${path}: it has ${ours.length} device filters of tsrun, not one`,
        { hint: 'see what is attached there: bpftool cgroup show' },
      )
    }
    attach(path, loadedProgram(path, program).fd, former.fd)
  } finally {
    for (const fd of ours) fd.close()
  }
}

function programName(): readonly bigint[] {
  const bytes = Buffer.alloc(16)
  bytes.write(PROGRAM_NAME)
  return [bytes.readBigUInt64LE(0), bytes.readBigUInt64LE(8)]
}

function nameOf(path: string, program: number): string {
  const batch = newBatch()
  const info = batch.zeros(INFO_SIZE)
  // union bpf_attr: bpf_fd, info_len, info.
  const attributes = batch.words([BigInt(program) | (BigInt(INFO_SIZE) << 32n), info])
  const got = batch.sys('bpf', [BPF_OBJ_GET_INFO_BY_FD, attributes, INFO_ATTRIBUTE_SIZE], {
    tolerate: ['*'],
  })
  const result = runBatch(batch)
  const value = result.value(got)
  if (value < 0) throw attachError(path, 'name', -value)
  const name = result.bytes(info).subarray(INFO_NAME)
  return name.toString('latin1', 0, name.indexOf(0))
}

function loadedProgram(path: string, program: Uint8Array): OwnedFd {
  const key = Buffer.from(program).toString('latin1')
  const known = loaded.get(key)
  if (known !== undefined) return known
  const fd = loadProgram(path, program)
  if (loaded.size >= MAX_KEPT) forgetAll()
  loaded.set(key, fd)
  return fd
}

function attachedPrograms(path: string): readonly number[] {
  const batch = newBatch()
  const cgroup = openCgroup(batch, path)
  const ids = batch.zeros(4 * MAX_QUERIED)
  // union bpf_attr: target_fd, attach_type, query_flags, attach_flags, prog_ids, prog_cnt.
  const attributes = batch.words([BPF_CGROUP_DEVICE << 32n, 0, ids, MAX_QUERIED])
  batch.store(4, attributes, 0, cgroup)
  const queried = batch.sys('bpf', [BPF_PROG_QUERY, attributes, QUERY_ATTRIBUTE_SIZE], {
    tolerate: ['*'],
  })
  batch.run('close', [cgroup])
  const result = runBatch(batch)
  const value = result.value(queried)
  if (value < 0) throw attachError(path, 'find', -value)
  const count = result.bytes(attributes).readUInt32LE(24)
  return Array.from({ length: count }, (_, i) => result.bytes(ids).readUInt32LE(i * 4))
}

function programById(path: string, id: number): OwnedFd {
  const batch = newBatch()
  const attributes = batch.words([id, 0])
  const fd = batch.sys('bpf', [BPF_PROG_GET_FD_BY_ID, attributes, ID_ATTRIBUTE_SIZE], {
    tolerate: ['*'],
  })
  const value = runBatch(batch).value(fd)
  if (value < 0) throw attachError(path, 'open', -value)
  return new OwnedFd(value)
}

function forgetAll(): void {
  for (const fd of loaded.values()) fd.close()
  loaded.clear()
}

function loadProgram(path: string, program: Uint8Array): OwnedFd {
  const batch = newBatch()
  const count = BigInt(program.length / 8)
  // union bpf_attr: prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, name…
  const attributes = batch.words([
    BPF_PROG_TYPE_CGROUP_DEVICE | (count << 32n),
    batch.bytes(program),
    batch.string('Apache-2.0'),
    0,
    0,
    0,
    ...programName(),
    BPF_CGROUP_DEVICE << 32n,
  ])
  // The verifier gives up with EAGAIN when a signal is pending, and a profiler sends one all the time.
  const former = batch.zeros(SIGNAL_SET_SIZE)
  const all = batch.words([-1])
  batch.run('rt_sigprocmask', [SIG_SETMASK, all, former, SIGNAL_SET_SIZE])
  const fd = batch.sys('bpf', [BPF_PROG_LOAD, attributes, LOAD_ATTRIBUTE_SIZE], { tolerate: ['*'] })
  batch.run('rt_sigprocmask', [SIG_SETMASK, former, 0, SIGNAL_SET_SIZE])
  const value = runBatch(batch).value(fd)
  if (value < 0) throw attachError(path, 'load', -value)
  return new OwnedFd(value)
}

function openCgroup(batch: Batch, path: string): ReturnType<Batch['sys']> {
  return batch.sys('openat', [AT_FDCWD, batch.string(path), O_RDONLY | O_CLOEXEC, 0])
}

function attach(path: string, program: number, former?: number): void {
  const batch = newBatch()
  const cgroup = openCgroup(batch, path)
  const flags = former === undefined ? BPF_F_ALLOW_MULTI : BPF_F_ALLOW_MULTI | BPF_F_REPLACE
  const attributes = batch.words([0, BPF_CGROUP_DEVICE | (flags << 32n), former ?? 0])
  batch.store(4, attributes, 0, cgroup)
  batch.store(4, attributes, 4, program)
  const attached = batch.sys('bpf', [BPF_PROG_ATTACH, attributes, ATTACH_ATTRIBUTE_SIZE], {
    tolerate: ['*'],
  })
  batch.run('close', [cgroup])
  const value = runBatch(batch).value(attached)
  if (value < 0) throw attachError(path, 'attach', -value)
}

function attachError(path: string, step: string, errno: number): TsrunError {
  const code = errnoName(errno)
  return new TsrunError(
    'permission-denied',
    `cannot ${step} the device filter of the cgroup ${path}: ${code}`,
    {
      errno: code,
      hint: 'device rules need CAP_BPF and CAP_NET_ADMIN, and a kernel with CONFIG_CGROUP_BPF',
    },
  )
}
