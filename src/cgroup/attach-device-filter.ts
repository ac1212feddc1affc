/** Loads a device program and attaches it to a cgroup (bpf(2) BPF_PROG_LOAD, BPF_PROG_ATTACH). */
import { TsrunError } from '../errors.ts'
import { errnoName } from '../linux/errno.ts'
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from '../linux/open-flags.ts'
import { newBatch, runBatch } from '../native/run-batch.ts'

const BPF_PROG_LOAD = 5
const BPF_PROG_ATTACH = 8
const BPF_PROG_TYPE_CGROUP_DEVICE = 15n
const BPF_CGROUP_DEVICE = 6n
const BPF_F_ALLOW_MULTI = 2n
const LOAD_ATTRIBUTE_SIZE = 72
const ATTACH_ATTRIBUTE_SIZE = 20
const LOAD_ATTEMPTS = 10

/**
 * Puts `program` in charge of device access in the cgroup at `path`. The program lives as long as
 * the cgroup: nothing else has to be released. Throws `permission-denied` without CAP_BPF.
 */
export function attachDeviceFilter(path: string, program: Uint8Array): void {
  for (let attempt = 1; ; attempt++) {
    const failure = tryAttach(path, program)
    if (failure === undefined) return
    // The verifier gives up when a signal is pending (EAGAIN): the call is to be made again.
    if (failure.errno !== 'EAGAIN' || attempt >= LOAD_ATTEMPTS) throw failure
  }
}

function tryAttach(path: string, program: Uint8Array): TsrunError | undefined {
  const batch = newBatch()
  const cgroup = batch.sys('openat', [AT_FDCWD, batch.string(path), O_RDONLY | O_CLOEXEC, 0])
  const count = BigInt(program.length / 8)
  // union bpf_attr: prog_type, insn_cnt, insns, license, log_level, log_size, log_buf, kern_version, prog_flags, name…
  const load = batch.words([
    BPF_PROG_TYPE_CGROUP_DEVICE | (count << 32n),
    batch.bytes(program),
    batch.string('Apache-2.0'),
    0,
    0,
    0,
    0,
    0,
    BPF_CGROUP_DEVICE << 32n,
  ])
  const loaded = batch.sys('bpf', [BPF_PROG_LOAD, load, LOAD_ATTRIBUTE_SIZE], { tolerate: ['*'] })
  const attach = batch.words([0, BPF_CGROUP_DEVICE | (BPF_F_ALLOW_MULTI << 32n), 0])
  batch.store(4, attach, 0, cgroup)
  batch.store(4, attach, 4, loaded)
  const attached = batch.sys('bpf', [BPF_PROG_ATTACH, attach, ATTACH_ATTRIBUTE_SIZE], {
    tolerate: ['*'],
  })
  batch.run('close', [loaded], { tolerate: ['EBADF'] })
  batch.run('close', [cgroup])
  const result = runBatch(batch)
  for (const [step, slot] of [
    ['load', loaded],
    ['attach', attached],
  ] as const) {
    const value = result.value(slot)
    if (value < 0) return attachError(path, step, -value)
  }
  return undefined
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
