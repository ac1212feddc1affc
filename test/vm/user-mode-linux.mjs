/** How the machine starts as user-mode Linux: the kernel is a program, its memory a file, its disk a copy on write. */
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'

const MEBIBYTES = 3072

/** The command that boots `image` with `kernel` on `cpus` processors; it ends when the machine is off. */
export function userModeLinux({ kernel, image, control, cpus }) {
  // A path without spaces, as the control directory's is.
  symlinkSync(image, join(control, 'image'))
  const words = [
    `mem=${MEBIBYTES}M`,
    `ncpus=${cpus}`,
    // Traps system calls by seccomp, not by ptrace: twice as fast, and the only way with several processors.
    'seccomp=on',
    `uml_dir=${control}`,
    'umid=machine',
    `ubda=${join(control, 'disk')},${join(control, 'image')}`,
    'root=/dev/ubda',
    'rw',
    'init=/lib/systemd/systemd',
    'con=null',
    'con0=null,fd:1',
    'loglevel=4',
    'lsm=landlock,yama,apparmor',
    'systemd.show_status=0',
    'systemd.log_color=0',
    `tsrun.control=${control}`,
  ]
  // The memory is executable, and larger than the shared memory that a container is given by default.
  const script = `mount -t tmpfs -o size=${MEBIBYTES + 64}M tmpfs /dev/shm && TMPDIR=/dev/shm exec "$0" "$@"`
  return ['sh', '-c', script, kernel, ...words]
}
