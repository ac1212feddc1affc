/**
 * process.apparmorProfile, process.selinuxLabel and linux.mountLabel: who the process is to the kernel's
 * security modules (apparmor(7), selinux(8), proc_pid_attr(5)).
 *
 * A label that is written into a file of the container's choice confines nobody (CVE-2019-16884,
 * CVE-2019-19921, CVE-2025-52881): it goes through a procfs that the launcher mounts for itself, nowhere.
 */
import {
  FSCONFIG_CMD_CREATE,
  FSCONFIG_SET_STRING,
  FSMOUNT_CLOEXEC,
  FSOPEN_CLOEXEC,
} from '../../linux/mount-flags.ts'
import {
  O_CLOEXEC,
  O_RDONLY,
  O_WRONLY,
  RESOLVE_BENEATH,
  RESOLVE_NO_MAGICLINKS,
  RESOLVE_NO_XDEV,
} from '../../linux/open-flags.ts'
import type { Mount } from '../../oci/runtime-config.ts'
import type { Slot } from '../instruction.ts'
import type { PlanBuilder } from '../plan-builder.ts'
import type { ProcessContext } from './create-context.ts'
import { openBelow } from './kernel-structs.ts'

// `self` is a symbolic link, though no magic one.
const CONFINED = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | RESOLVE_NO_XDEV

/** Types whose labels are the policy's own (runc gives them no context= either). */
const LABELLED_BY_POLICY = new Set(['proc', 'sysfs', 'cgroup', 'cgroup2', 'mqueue'])

/**
 * In the launcher, while it sees the host alone: a procfs of its pid namespace with nothing but processes
 * (`subset=pid`). Not where no label is to be written.
 */
export function emitLabelProc(c: ProcessContext): void {
  if (profileOf(c) === undefined && labelOf(c) === undefined) return
  const { b } = c
  c.labelProc = b.at('security labels', () => {
    const context = b.sys('fsopen', [b.string('proc'), FSOPEN_CLOEXEC])
    b.run('fsconfig', [context, FSCONFIG_SET_STRING, b.string('subset'), b.string('pid'), 0])
    b.run('fsconfig', [context, FSCONFIG_CMD_CREATE, 0, 0, 0])
    const proc = b.sys('fsmount', [context, FSMOUNT_CLOEXEC, 0])
    b.run('close', [context])
    return proc
  })
}

/** What the next execve(2) gives the process; hooks that run in it before then get it too, as with runc. */
export function emitLabels(c: ProcessContext): void {
  const { b, labelProc } = c
  if (labelProc === undefined) return
  const profile = profileOf(c)
  if (profile !== undefined)
    b.at('/process/apparmorProfile', () =>
      emitAttribute(b, labelProc, 'attr/apparmor/exec', `exec ${profile}`),
    )
  const label = labelOf(c)
  if (label !== undefined)
    b.at('/process/selinuxLabel', () => emitAttribute(b, labelProc, 'attr/exec', label))
}

/** Runs `emit`, which makes a keyring, so that the keyring has the label of the process. */
export function emitWithKeyLabel(c: ProcessContext, emit: () => void): void {
  const label = labelOf(c)
  const { labelProc } = c
  if (label === undefined || labelProc === undefined) {
    emit()
    return
  }
  const write = (text: string): void =>
    c.b.at('/process/selinuxLabel', () => emitAttribute(c.b, labelProc, 'attr/keycreate', text))
  write(label)
  emit()
  // A newline takes it back (security/selinux/hooks.c).
  write('\n')
}

/** context= for a new file system of `mount`, unless it brings its own. */
export function emitMountLabel(c: ProcessContext, context: Slot, mount: Mount): void {
  const label = c.config.linux?.mountLabel ?? ''
  const hasOwn = mount.options?.some((option) => /^((fs|def|root)?context)=/.test(option)) === true
  if (label === '' || hasOwn || LABELLED_BY_POLICY.has(mount.type ?? '')) return
  c.b.at('/linux/mountLabel', () => emitContext(c.b, context, label, mount.destination))
}

/** context= for the tmpfs that hides directories. */
export function emitMaskLabel(c: ProcessContext, context: Slot): void {
  const label = c.config.linux?.mountLabel ?? ''
  if (label !== '') c.b.at('/linux/mountLabel', () => emitContext(c.b, context, label, 'masked'))
}

/** A message queue's mount takes no context=: its root directory gets the label. */
export function emitQueueLabel(c: ProcessContext, tree: Slot, mount: Mount): void {
  const label = c.config.linux?.mountLabel ?? ''
  if (label === '' || mount.type !== 'mqueue') return
  const { b } = c
  b.at('/linux/mountLabel', () => {
    const directory = b.sys('openat', [tree, b.string('.'), O_RDONLY | O_CLOEXEC, 0])
    const value = b.string(label)
    const name = b.string('security.selinux')
    b.run('fsetxattr', [directory, name, value, value.length, 0], { note: label })
    b.run('close', [directory])
  })
}

function emitContext(b: PlanBuilder, context: Slot, label: string, what: string): void {
  const operands = [context, FSCONFIG_SET_STRING, b.string('context'), b.string(label), 0]
  b.run('fsconfig', operands, { note: `context of ${what}` })
}

function emitAttribute(b: PlanBuilder, proc: Slot, file: string, text: string): void {
  const path = `self/${file}`
  const fd = openBelow(b, proc, path, { flags: O_WRONLY | O_CLOEXEC, resolve: CONFINED })
  const data = b.bytes(Buffer.from(text))
  // The path as podman looks for it, in backquotes.
  b.run('write', [fd, data, data.length], { note: `\`/proc/${path}\`` })
  b.run('close', [fd])
}

/** A profile to change to; without AppArmor every process is `unconfined`. */
function profileOf(c: ProcessContext): string | undefined {
  const profile = c.process.apparmorProfile ?? ''
  if (profile === '' || (profile === 'unconfined' && !c.options.features.apparmor)) return undefined
  return profile
}

function labelOf(c: ProcessContext): string | undefined {
  const label = c.process.selinuxLabel ?? ''
  return label === '' ? undefined : label
}
