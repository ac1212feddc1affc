/** Dockerfiles as stages of instructions; broken ones are refused with file and line. */
import { describe, expect, it } from 'vitest'
import { parseDockerfile, parseTrigger } from '../../../src/dockerfile/parse-dockerfile.ts'

const parse = (text: string) => parseDockerfile(text, 'Dockerfile')
const only = (text: string) => parse(`FROM a\n${text}`).stages[0]?.instructions.at(-1)

describe('parseDockerfile()', () => {
  it('finds stages, their names, and the ARGs before them', () => {
    const { globalArgs, stages, escapeChar } = parse(
      'ARG V=1\nFROM --platform=linux/amd64 a:$V AS Build\nRUN x\nfrom build\nCMD ["y"]\n',
    )
    expect(escapeChar).toBe('\\')
    expect(globalArgs).toMatchObject([{ kind: 'ARG', pairs: [{ name: 'V', value: '1' }] }])
    expect(stages.map(({ from }) => [from.image, from.stage, from.platform])).toEqual([
      ['a:$V', 'build', 'linux/amd64'],
      ['build', undefined, undefined],
    ])
  })

  it('joins lines, without comments and empty lines between', () => {
    expect(only('RUN echo a \\\n  # comment\n\n  b \\ \n c\n')).toMatchObject({
      line: 2,
      text: 'RUN echo a   b  c',
    })
  })

  it('takes the escape character of the directive, and lines that end with CR LF', () => {
    const { stages } = parse('# escape=`\r\nFROM a\r\nRUN dir C:\\ `\r\n  b\r\n')
    expect(stages[0]?.instructions[0]?.text).toBe('RUN dir C:\\   b')
  })

  it('reads here-documents: of RUN, of COPY, with tabs taken away, with and without variables', () => {
    const run = only('RUN <<EOF cat && cat <<-"B"\necho $x\n RUN not\nEOF\n\tb\n\tB\n')
    expect(run).toMatchObject({
      command: {
        form: 'shell',
        script: '<<EOF cat && cat <<-"B"',
        heredocs: [
          { name: 'EOF', content: 'echo $x\n RUN not\n', expand: true },
          { name: 'B', content: 'b\n', expand: false },
        ],
      },
    })
    expect(only('COPY --chown=1 <<a <<b dir/\n1\na\n2\nb\nCOPY x y')).toMatchObject({
      sources: ['x'],
      destination: 'y',
    })
    expect(only('COPY --chown=1 <<a plain <<b dir/\n1\na\n2\nb\n')).toMatchObject({
      sources: ['plain'],
      chown: '1',
      heredocs: [{ name: 'a' }, { name: 'b' }],
      destination: 'dir/',
    })
  })

  it('keeps a here-document in the trigger of ONBUILD', () => {
    const instruction = only('ONBUILD RUN <<E\nhi\nE\n')
    expect(instruction).toMatchObject({ trigger: 'RUN <<E\nhi\nE\n' })
    expect(parseTrigger('RUN <<E\nhi\nE\n', 'base')).toMatchObject({
      command: { heredocs: [{ content: 'hi\n' }] },
    })
  })

  it('tells the exec form from the shell form', () => {
    expect(only('RUN ["a", "b c"]')).toMatchObject({
      command: { form: 'exec', words: ['a', 'b c'] },
    })
    expect(only("RUN ['a']")).toMatchObject({ command: { form: 'shell', script: "['a']" } })
    expect(only('ENTRYPOINT')).toMatchObject({ command: { form: 'exec', words: [] } })
  })

  it('reads pairs in both forms', () => {
    expect(only('ENV A=1 B="x y" C=a\\ b')).toMatchObject({
      pairs: [
        { name: 'A', value: '1' },
        { name: 'B', value: '"x y"' },
        { name: 'C', value: 'a\\ b' },
      ],
    })
    expect(only('ENV A some words')).toMatchObject({ pairs: [{ name: 'A', value: 'some words' }] })
    expect(only('ARG A B=1')).toMatchObject({
      pairs: [
        { name: 'A', value: undefined },
        { name: 'B', value: '1' },
      ],
    })
  })

  it('reads flags and ends them at --', () => {
    expect(only('COPY --from=x --link --exclude=a --exclude=b s d')).toMatchObject({
      from: 'x',
      link: true,
      excludes: ['a', 'b'],
    })
    expect(only('HEALTHCHECK --interval=5s --retries=2 CMD a b')).toMatchObject({
      command: { form: 'shell', script: 'a b' },
      options: new Map([
        ['interval', '5s'],
        ['retries', '2'],
      ]),
    })
  })

  it.each([
    ['', 'Dockerfile:1: it has no FROM'],
    ['RUN x', 'Dockerfile:1: RUN stands before the first FROM'],
    ['FROM a b c', 'FROM takes an image'],
    ['FROM a AS 1x', 'a stage cannot be called "1x"'],
    ['FROM a AS b\nFROM a AS B', 'Dockerfile:2: the stage "b" is already in line 1'],
    ['FROM a\nBOGUS x', 'Dockerfile:2: "BOGUS" is no instruction'],
    ['FROM a\n\nRUN', 'Dockerfile:3: RUN needs arguments'],
    ['FROM a\nRUN <<EOF\nx', 'Dockerfile:2: the here-document "EOF" has no end'],
    ['FROM a\nCOPY x', 'COPY needs at least one source and a destination'],
    ['FROM a\nCOPY --frm=x a b', 'the flag --frm is not known here'],
    ['FROM a\nCOPY --from a b', 'the flag --from needs a value'],
    ['FROM a\nCOPY --from=a --from=b a b', 'the flag --from is given twice'],
    ['FROM a\nENV A=1 B', '"B" must be of the form name=value'],
    ['FROM a\nENV =1', '"=1" has no name'],
    ['FROM a\nARG 1x', 'an ARG cannot be called "1x"'],
    ['FROM a\nSHELL sh', 'SHELL takes a list in JSON'],
    ['FROM a\nHEALTHCHECK x', 'HEALTHCHECK takes NONE alone'],
    ['FROM a\nONBUILD FROM b', 'ONBUILD cannot hold FROM'],
    ['FROM a\nONBUILD ONBUILD RUN x', 'ONBUILD cannot hold ONBUILD'],
    ['FROM a\nRUN a\0b', 'Dockerfile:2: it has a NUL byte'],
    ['# escape=x\nFROM a', 'the escape character must be'],
    ['FROM a\nRUN --device=x y', 'RUN --device is not supported'],
  ])('refuses %j', (text, message) => {
    expect(() => parse(text)).toThrow(message)
  })

  it('refuses what is longer than a Dockerfile ever is', () => {
    expect(() => parse(`FROM a\n${'# x\n'.repeat(300_000)}`)).toThrow('it is longer than')
  })
})
