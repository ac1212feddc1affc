import { describe, expect, it } from 'vitest'
import { parseTemplate } from '../../../src/cli/go-template.ts'

const data = {
  ID: '0123456789abcdef',
  Names: 'web',
  State: { Status: 'running', Running: true, ExitCode: 0 },
  Labels: new Map([
    ['b', '2'],
    ['a', '1'],
  ]),
  Ports: [80, 443],
  Empty: [],
  Label: (name: unknown) => `label ${name}`,
}

const render = (text: string) => parseTemplate(text).render(data)

describe('parseTemplate()', () => {
  it.each([
    ['{{.ID}}', '0123456789abcdef'],
    ['{{ .State.Status }}/{{.State.ExitCode}}', 'running/0'],
    ['{{json .State}}', '{"Status":"running","Running":true,"ExitCode":0}'],
    ['{{json .Labels}}', '{"b":"2","a":"1"}'],
    ['{{.Labels.a}} {{.Labels.none}} {{index .Labels "b"}}', '1 <no value> 2'],
    ['{{if .State.Running}}up{{else}}down{{end}}', 'up'],
    ['{{if not .State.Running}}up{{else if eq .Names "web"}}web{{else}}down{{end}}', 'web'],
    ['{{range .Ports}}<{{.}}>{{end}}', '<80><443>'],
    ['{{range $i, $p := .Ports}}{{$i}}={{$p}} {{end}}', '0=80 1=443 '],
    ['{{range $k, $v := .Labels}}{{$k}}={{$v}};{{end}}', 'a=1;b=2;'],
    ['{{range .Empty}}x{{else}}none{{end}}', 'none'],
    ['{{with .State}}{{.Status}} {{$.Names}}{{end}}', 'running web'],
    ['{{$n := .Names}}{{$n | upper}}', 'WEB'],
    ['{{join .Ports ","}} {{len .Ports}} {{.Ports}}', '80,443 2 [80 443]'],
    ['{{slice .ID 0 4}} {{truncate .ID 2}}', '0123 01'],
    ['{{printf "%-5s|%q" .Names .Names}}', 'web  |"web"'],
    ['{{println .Names}}', 'web\n'],
    ['{{.Label "x"}}', 'label x'],
    ['{{(index .Ports 1)}}', '443'],
    ['a {{- "b" -}} c', 'abc'],
    ['{{/* a comment */}}x{{"}}"}}', 'x}}'],
    ['{{index .Ports 0 | json}}', '80'],
  ])('renders %s', (text, expected) => {
    expect(render(text)).toBe(expected)
  })

  it.each([
    ['{{.Nope}}', /no field "Nope"/],
    ['{{nope .ID}}', /no function "nope"/],
    ['{{.ID', /not closed/],
    ['{{if .ID}}x', /end/],
    ['x{{end}}', /no beginning/],
    ['{{$x}}', /\$x is not defined/],
    ['{{.ID ~}}', /not understood/],
  ])('refuses %s', (text, message) => {
    expect(() => render(text)).toThrow(message)
  })

  it('suggests the nearest field', () => {
    expect(() => render('{{.Nmaes}}')).toThrow(/did you mean "Names"\?/)
  })

  it('leaves headings as they are in functions that change texts', () => {
    const heading = parseTemplate('{{lower .Names}} {{json .ID}} {{len .ID}}')
    expect(heading.render({ Names: 'NAMES', ID: 'ID' }, { heading: true })).toBe('NAMES ID 2')
  })
})

describe('hostile templates', () => {
  const many = '{{range .Ports}}{{range $.Ports}}{{range $.Ports}}{{range $.Ports}}'
  it.each<[string, string]>([
    ['long', '{{.ID}}'.repeat(20_000)],
    ['deep parentheses', `{{${'('.repeat(5000)}.ID${')'.repeat(5000)}}}`],
    ['deep blocks', '{{if .ID}}'.repeat(5000)],
    ['deep else if', `{{if .Empty}}${'{{else if .Empty}}'.repeat(3000)}{{end}}`],
    ['an open action with quotes', `{{${'""'.repeat(20_000)}`],
    ['an open string', `{{"${'\\\\'.repeat(10_000)}`],
    ['a wide padding', '{{pad "x" 999999999999 1}}'],
    ['nested ranges', `${many}${many}${many}${many}${many}x${'{{end}}'.repeat(20)}`],
    ['a range over a large number', '{{range 1000000000}}x{{end}}'],
    [
      'a doubling text',
      `{{$x := "${'a'.repeat(1000)}"}}${'{{$x = print $x $x}}'.repeat(100)}{{$x}}`,
    ],
    ['a template of itself', '{{define "t"}}{{template "t" .}}{{end}}{{template "t" .}}'],
    ['a bad escape', '{{"\\q"}}'],
    ['a name of Object', '{{constructor .ID}}'],
    ['a field of Object', '{{.State.__proto__}}'],
  ])('%s is refused in a sentence', (_, template) => {
    expect(() => render(template)).toThrow(/^cannot use the format template: .{5,200}$/)
  })

  it('takes a wide printf for a bad one, as Go does', () => {
    expect(render('{{printf "%99999999d" 1}}')).toBe('%!(BADWIDTH)%!(EXTRA int=1)')
  })

  it('answers what random pieces make, by a text or a sentence', () => {
    const pieces = [
      '{{',
      '}}',
      '{{- ',
      ' -}}',
      '.ID',
      '.',
      '$',
      '$x',
      ':=',
      '=',
      '|',
      '(',
      ')',
      '"',
      '`',
      "'",
      '\\',
      'range ',
      'end',
      'else',
      'if ',
      'with ',
      'json ',
      'printf ',
      '%d',
      '1',
      ',',
      ' ',
      '/*',
      '*/',
      'define "t"',
      'template "t"',
      'break',
    ]
    for (let seed = 1; seed <= 3000; seed++) {
      let state = seed
      const next = () => (state = (state * 1103515245 + 12345) % 2147483648)
      const template = Array.from(
        { length: 2 + (next() % 12) },
        () => pieces[next() % pieces.length],
      ).join('')
      try {
        render(template)
      } catch (error) {
        expect(error, template).toMatchObject({ name: 'TsrunError' })
      }
    }
  })
})
