/** -v: docker's syntax and podman's further options, everything unknown refused by name. */
import { posix } from 'node:path'
import { PROPAGATION_FLAGS } from '../linux/mount-flags.ts'
import { bindOptions } from './bind-options.ts'
import { refuseNul, refuseOption } from './invalid-option.ts'
import { cleanDestination, isVolumeName, PLAIN_MOUNT, type UserMount } from './user-mount.ts'

/** Hints for macOS's file sharing: without meaning on Linux, in docker too. */
const CONSISTENCY = new Set(['consistent', 'cached', 'delegated'])
const ATTRIBUTES = new Set(['noexec', 'exec', 'nodev', 'dev', 'nosuid', 'suid'])

/** `[source:]destination[:options]`: a source with a slash is a path, another one the name of a volume. */
export function parseVolume(text: string, workingDirectory: string): UserMount {
  refuseNul('volume', text)
  const [first = '', second, optionText = '', ...rest] = text.split(':')
  if (rest.length > 0)
    refuseOption('volume', text, 'it must be source:destination or source:destination:options')
  const [source, destination] = second === undefined ? [undefined, first] : [first, second]
  if (source === '') refuseOption('volume', text, 'it has no source')
  const isPath = source !== undefined && /^(?:\/|\.\.?(?:\/|$))/.test(source)
  if (source !== undefined && !isPath && !isVolumeName(source)) {
    refuseOption(
      'volume',
      text,
      `${JSON.stringify(source)} is neither a path, which begins with / or ., nor a volume's name`,
    )
  }
  const options = readOptions(optionText, text, !isPath)
  return {
    ...PLAIN_MOUNT,
    ...options,
    type: isPath ? 'bind' : 'volume',
    destination: cleanDestination('volume', text, destination),
    ...(source === undefined
      ? {}
      : { source: isPath ? posix.resolve(workingDirectory, source) : source }),
    mode: optionText,
    createSource: true,
  }
}

type Read = Pick<UserMount, 'options' | 'readOnly' | 'copyUp' | 'chown' | 'overlay'>

function readOptions(optionText: string, text: string, isVolume: boolean): Read {
  const read = {
    readOnly: false,
    bind: 'rbind',
    propagation: 'rprivate',
    attributes: [] as string[],
    copyUp: true,
    chown: false,
    overlay: false,
  }
  for (const option of optionText === '' ? [] : optionText.split(',')) {
    if (option === 'ro' || option === 'rw') read.readOnly = option === 'ro'
    else if (option === 'bind' || option === 'rbind') read.bind = option
    else if (Object.hasOwn(PROPAGATION_FLAGS, option)) {
      if (isVolume) refuseOption('volume', text, `a volume has no propagation such as "${option}"`)
      read.propagation = option
    } else if (ATTRIBUTES.has(option)) read.attributes.push(option)
    else if (/^r?idmap(?:=|$)/.test(option)) read.attributes.push(option)
    else if (option === 'copy' || option === 'nocopy') {
      if (!isVolume) refuseOption('volume', text, `"${option}" is for volumes, not for paths`)
      read.copyUp = option === 'copy'
    } else if (option === 'U') read.chown = true
    else if (option === 'O') read.overlay = true
    // Relabelling is for SELinux, which the supported hosts do not have on; docker ignores it there too.
    else if (option !== 'z' && option !== 'Z' && !CONSISTENCY.has(option))
      refuseOption('volume', text, `${JSON.stringify(option)} is not an option of a volume`)
  }
  const { readOnly, bind, propagation, attributes, copyUp, chown, overlay } = read
  const access = readOnly ? 'recursive' : 'no'
  const options = bindOptions(bind, propagation, access, attributes)
  return { options, readOnly, copyUp, chown, overlay }
}
