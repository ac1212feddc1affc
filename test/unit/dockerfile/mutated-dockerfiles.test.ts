// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words of a shell, not of JavaScript
/** Damaged Dockerfiles: each is understood or refused in one sentence with file and line, and none takes long. */
import { describe, expect, it } from 'vitest'
import { parseDockerfile } from '../../../src/dockerfile/parse-dockerfile.ts'
import { parseRunMount } from '../../../src/dockerfile/parse-run-mount.ts'
import { applyInstruction, type StageConfig } from '../../../src/dockerfile/stage-config.ts'
import { describeError, TsrunError } from '../../../src/errors.ts'
import { mutateBytes } from '../../support/mutate-bytes.ts'
import { seededRandom } from '../../support/random-profiles.ts'

const WHOLE = String.raw`# syntax=docker/dockerfile:1
# escape=\
ARG V=1.2
FROM --platform=$BUILDPLATFORM busybox:${'${V:-latest}'} AS base
ENV A=b "C D"='e f' \
    # comment
    G=${'${A:+${C##*/}}'}
WORKDIR /a/$A
RUN --mount=type=cache,target=/c,sharing=locked --mount=type=secret,id=s <<EOF cat && <<-"F"
one $A
EOF
	two
	F
COPY --from=base --chown=1:2 --chmod=0755 <<X ["a b", "c/"]
x
X
ADD --exclude=*.o a* b/
EXPOSE 80 90-91/udp
VOLUME ["/x"]
HEALTHCHECK --interval=5s CMD ["a"]
ONBUILD RUN echo "$A"
SHELL ["/bin/sh", "-c"]
CMD a "b
ENTRYPOINT ["x"]
FROM base
LABEL a=${'${V//./-}'} b="\"$A\""
USER ${'${A%b}'}x
`

/** Pieces that parsers of Dockerfiles stumble over. */
const PIECES = [
  '<<',
  '<<EOF',
  '${',
  '}',
  '"',
  "'",
  '\\\n',
  '\\',
  '#',
  '--',
  '=',
  '[',
  ']',
  '\n',
  '\r',
  '$',
  '\u0000',
  '\ufeff',
  'FROM ',
  'RUN ',
  '`',
  '\t',
  '${A:-',
  '/',
  '*',
]

function damaged(seed: number): string {
  const random = seededRandom(seed)
  if (seed % 3 === 0) return mutateBytes(Buffer.from(WHOLE), random).toString('utf8')
  let text = WHOLE
  for (let i = 0; i <= random.below(6); i++) {
    const at = random.below(text.length)
    const piece = PIECES[random.below(PIECES.length)] ?? ''
    text = text.slice(0, at) + piece.repeat(1 + random.below(3)) + text.slice(at + random.below(4))
  }
  return text
}

function readAll(text: string): void {
  const { file, escapeChar, stages } = parseDockerfile(text, 'Dockerfile')
  for (const { instructions } of stages) {
    let config: StageConfig = { process: {}, author: undefined, args: new Map(), hasCommand: false }
    for (const instruction of instructions) {
      const context = { file, escapeChar, argument: () => undefined, inherited: () => undefined }
      config = applyInstruction(config, instruction, context)
      if (instruction.kind !== 'RUN') continue
      for (const mount of instruction.mounts) parseRunMount(mount, { file, line: instruction.line })
    }
  }
}

describe('a damaged Dockerfile', () => {
  it('is understood or refused in one sentence, 1500 times', () => {
    let refused = 0
    for (let seed = 0; seed < 1500; seed++) {
      try {
        readAll(damaged(seed))
      } catch (error) {
        if (!(error instanceof TsrunError)) throw new Error(`seed ${seed}`, { cause: error })
        expect(describeError(error)).toMatch(/^cannot use Dockerfile:\d+: [^\n]+$/)
        refused++
      }
    }
    // Both happen: the damage is neither too small nor too big.
    expect(refused).toBeGreaterThan(250)
    expect(refused).toBeLessThan(1475)
  }, 60_000)

  it.each([
    ['a long line', `RUN ${'x '.repeat(100_000)}`],
    ['many lines', 'RUN x\n'.repeat(20_000)],
    ['a line of many pieces', `RUN x \\\n${'y \\\n'.repeat(30_000)}z`],
    ['many marks', `RUN ${'<<A '.repeat(10_000)}\nA\n`],
    ['open quotes', `ENV a=${'"\\" '.repeat(100_000)}`],
    ['a list that never ends', `CMD ${'['.repeat(100_000)}`],
    ['many flags', `RUN ${'--mount=a '.repeat(3_000)}x`],
    ['comments between', `RUN x \\\n${'# y\n'.repeat(30_000)}z`],
  ])(
    'is read in time that grows with its length: %s',
    (_name, line) => {
      try {
        readAll(`FROM a\n${line}`)
      } catch (error) {
        if (!(error instanceof TsrunError)) throw error
      }
    },
    20_000,
  )
})
