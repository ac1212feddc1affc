/** What the launcher and init set on themselves: dumpable, name, OOM score (prctl(2), proc(5)). */
import { AT_FDCWD, O_CLOEXEC, O_WRONLY } from '../../linux/open-flags.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'

const PR_SET_DUMPABLE = 4
const PR_SET_NAME = 15

/**
 * Until its exec, no process of the container can ptrace this one or read its /proc files
 * (CVE-2016-9962). The kernel gives a process the value of fs.suid_dumpable when its ids change or when
 * it joins a user namespace (commit_creds() in kernel/cred.c), so this follows each of these at once.
 */
export function emitUndumpable(b: PlanBuilder): void {
  b.run('prctl', [PR_SET_DUMPABLE, 0, 0, 0, 0])
}

/** Undoes {@link emitUndumpable}. */
export function emitDumpable(b: PlanBuilder): void {
  b.run('prctl', [PR_SET_DUMPABLE, 1, 0, 0, 0])
}

/** The name that ps(1) shows while the container waits for its start. */
export function emitProcessName(b: PlanBuilder): void {
  b.run('prctl', [PR_SET_NAME, b.string('tsrun:[init]'), 0, 0, 0])
}

/** Written in the host's procfs by the launcher, before anything of the container exists; children inherit it. */
export function emitOomScore(c: ProcessContext): void {
  const score = c.process.oomScoreAdj
  if (score === undefined) return
  const { b } = c
  // The files of an undumpable process are root's (proc(5)).
  const isUsers = c.options.features.rootless === true
  b.at('/process/oomScoreAdj', () => {
    if (isUsers) emitDumpable(b)
    const text = b.string(String(score))
    const fd = b.sys('openat', [
      AT_FDCWD,
      b.string('/proc/self/oom_score_adj'),
      O_WRONLY | O_CLOEXEC,
      0,
    ])
    b.run('write', [fd, text, text.length - 1], { note: `oom_score_adj ${score}` })
    b.run('close', [fd])
    if (isUsers) emitUndumpable(b)
  })
}
