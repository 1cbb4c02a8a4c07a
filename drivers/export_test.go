package drivers

// IsPrompt tells whether a line is a prompt of the driver's.
func (d *Driver) IsPrompt(line string) bool { return matchLine(d.prompt, line) }

// Fits tells whether an answer is one that a device of the driver's may give first.
func (d *Driver) Fits(answer []byte) bool {
	return d.fits == nil || d.fits.Match(answer) || unknown(answer)
}
