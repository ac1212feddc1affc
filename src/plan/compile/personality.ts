/** linux.personality (personality(2)): what uname(2) tells a process of the machine. */
import type { ProcessContext } from './create-context.ts'

/** PER_* of linux/personality.h. */
const PERSONALITIES: Readonly<Record<string, number>> = { LINUX: 0, LINUX32: 8 }

export function emitPersonality(c: ProcessContext): void {
  const personality = c.config.linux?.personality
  if (personality === undefined) return
  const { domain } = personality
  c.b.at('/linux/personality', () =>
    c.b.run('personality', [PERSONALITIES[domain] ?? 0], { note: domain }),
  )
}
