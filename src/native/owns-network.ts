/** Whether this process may change the network namespace that it is in. */
import { closeSync, openSync } from 'node:fs'
import { errnoCodeOf } from '../errors.ts'
import { syscall } from './syscalls.ts'

const NS_GET_USERNS = 0xb701

/** Root of the host, or of a user namespace that the network namespace belongs to: ioctl_ns(2) says EPERM for any other. */
export function ownsNetwork(): boolean {
  if (process.geteuid?.() !== 0) return false
  const namespace = openSync('/proc/self/ns/net', 'r')
  try {
    closeSync(syscall('ioctl', [namespace, NS_GET_USERNS, 0]))
    return true
  } catch (error) {
    if (errnoCodeOf(error) === 'EPERM') return false
    throw error
  } finally {
    closeSync(namespace)
  }
}
