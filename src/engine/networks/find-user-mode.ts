/** pasta and slirp4netns on this host. */
import { accessSync, constants } from 'node:fs'
import { parseUserMode, type UserModeName } from '../../network/user-mode/user-mode-program.ts'
import { isExecutable, programPaths } from '../../runtime/find-program.ts'

/** Where the program is, undefined when it is not installed. */
export function findUserMode(name: UserModeName): string | undefined {
  return programPaths(name, process.env).find(isExecutable)
}

/** The one for users who name none: pasta, or slirp4netns where there is only that. */
export function defaultUserMode(): UserModeName {
  const hasPasta = findUserMode('pasta') !== undefined
  return !hasPasta && findUserMode('slirp4netns') !== undefined ? 'slirp4netns' : 'pasta'
}

/** Whether containers of users can have a network at all. */
export function canUseUserMode(): boolean {
  return findUserMode(defaultUserMode()) !== undefined && canOpenTun()
}

/** Whether a `--network` text names such a program. */
export function isUserMode(networkMode: string): boolean {
  return parseUserMode(networkMode) !== undefined
}

function canOpenTun(): boolean {
  try {
    accessSync('/dev/net/tun', constants.R_OK | constants.W_OK)
    return true
  } catch {
    // Not there, or root's alone.
    return false
  }
}
