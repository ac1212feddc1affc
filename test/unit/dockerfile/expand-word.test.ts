// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the words of a shell, not of JavaScript
/** Variables in words of a Dockerfile, as docker's shell lexer replaces them. */
import { describe, expect, it } from 'vitest'
import { expandWord } from '../../../src/dockerfile/expand-word.ts'

const VALUES: Readonly<Record<string, string>> = {
  a: 'one',
  empty: '',
  path: '/usr/local/lib/x.tar.gz',
  dots: '1.2.3',
}
const place = { file: 'Dockerfile', line: 7 }
const expand = (word: string, quotes?: 'raw') =>
  expandWord(word, (name) => VALUES[name], { escapeChar: '\\', place, quotes })

describe('expandWord()', () => {
  it.each([
    ['x$a/y', 'xone/y'],
    ['x${a}y', 'xoney'],
    ['$missing.', '.'],
    ['${a:-d}${missing:-d}${empty:-d}', 'onedd'],
    ['${missing-d}${empty-d}', 'd'],
    ['${a:+d}${missing:+d}${empty:+d}', 'd'],
    ['${a+d}${missing+d}${empty+d}', 'dd'],
    ['${missing:-${a:-x}}', 'one'],
    ['${missing:-"a b"}', 'a b'],
    ['${a:?no}', 'one'],
    ['${path#*/}', 'usr/local/lib/x.tar.gz'],
    ['${path##*/}', 'x.tar.gz'],
    ['${path%.*}', '/usr/local/lib/x.tar'],
    ['${path%%.*}', '/usr/local/lib/x'],
    ['${path#nothing}', '/usr/local/lib/x.tar.gz'],
    ['${dots/./-}', '1-2.3'],
    ['${dots//./-}', '1-2-3'],
    ['${dots//?./}', '3'],
    ["'$a'", '$a'],
    ['"$a b"', 'one b'],
    ['"\\$a \\x"', '$a \\x'],
    ['\\$a', '$a'],
    ['a\\ b', 'a b'],
    ['$', '$'],
    ['a$', 'a$'],
    ['""', ''],
  ])('replaces in %j', (word, expected) => {
    expect(expand(word)).toBe(expected)
  })

  it('leaves quotes where a here-document has them', () => {
    expect(expand(`"$a" 'b' \\n \\$a`, 'raw')).toBe(`"one" 'b' \\n $a`)
  })

  it.each([
    ['${a', 'has no end'],
    ['${', 'there is no name'],
    ['${a~x}', 'in a form that is not known'],
    ['${missing:?set it}', 'the variable missing is not set: set it'],
    ['"a', 'a " has no end'],
    ["'a", "a ' has no end"],
    [`${'${a:-'.repeat(100)}x${'}'.repeat(100)}`, 'nests'],
  ])('refuses %j with file and line', (word, message) => {
    expect(() => expand(word)).toThrow(message)
    expect(() => expand(word)).toThrow('Dockerfile:7')
  })

  it('stops a value that grows and grows', () => {
    const big = 'x'.repeat(100_000)
    expect(() => expandWord('$b$b', () => big, { escapeChar: '\\', place })).toThrow(
      'it is longer than',
    )
  })

  it('refuses patterns on values that would take long', () => {
    const long = 'a'.repeat(5000)
    expect(() => expandWord('${v//*a*b/x}', () => long, { escapeChar: '\\', place })).toThrow(
      'it compares more than',
    )
  })
})
