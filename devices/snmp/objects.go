package snmp

// The system group (SNMPv2-MIB, RFC 3418).
const (
	sysDescr    = ".1.3.6.1.2.1.1.1.0"
	sysObjectID = ".1.3.6.1.2.1.1.2.0"
	sysUpTime   = ".1.3.6.1.2.1.1.3.0"
	sysName     = ".1.3.6.1.2.1.1.5.0"
	sysLocation = ".1.3.6.1.2.1.1.6.0"
)

// A meaning is what an object says of a device.
type meaning uint8

const (
	serial meaning = iota
	model
	version
	chosenSerial // a serial that a person may have overwritten: used for want of another
)

// An object is one that some vendor's devices have and the others say they lack.
type object struct {
	oid  string
	says meaning
}

// vendorObjects are asked of every device at once: that is one round trip, where
// knowing the vendor first would be two. Of two with one meaning the first wins.
func vendorObjects() []object {
	const e = ".1.3.6.1.4.1."
	return []object{
		{e + "12356.100.1.1.1.0", serial},              // FORTINET-CORE-MIB fnSysSerial
		{e + "12356.101.4.1.1.0", version},             // FORTINET-FORTIGATE-MIB fgSysVersion
		{e + "25461.2.1.2.1.3.0", serial},              // PAN-COMMON-MIB panSysSerialNumber
		{e + "25461.2.1.2.1.1.0", version},             // PAN-COMMON-MIB panSysSwVersion
		{e + "2636.3.1.3.0", serial},                   // JUNIPER-MIB jnxBoxSerialNo
		{e + "2636.3.1.2.0", model},                    // JUNIPER-MIB jnxBoxDescr
		{e + "8741.2.1.1.1.0", model},                  // SNWL-COMMON-MIB snwlSysModel
		{e + "8741.2.1.1.2.0", serial},                 // SNWL-COMMON-MIB snwlSysSerialNumber
		{e + "8741.2.1.1.3.0", version},                // SNWL-COMMON-MIB snwlSysFirmwareVersion
		{e + "2604.5.1.1.2.0", model},                  // SFOS-FIREWALL-MIB sfosDeviceType
		{e + "2604.5.1.1.3.0", version},                // SFOS-FIREWALL-MIB sfosDeviceFWVersion
		{e + "2604.5.1.1.4.0", serial},                 // SFOS-FIREWALL-MIB sfosDeviceAppKey
		{e + "2620.1.6.16.3.0", serial},                // CHECKPOINT-MIB svnApplianceSerialNumber
		{e + "2620.1.6.16.7.0", model},                 // CHECKPOINT-MIB svnApplianceProductName
		{e + "2620.1.6.4.1.0", version},                // CHECKPOINT-MIB svnVersion
		{e + "14988.1.1.7.3.0", serial},                // MIKROTIK-MIB mtxrSerialNumber
		{e + "14988.1.1.7.9.0", model},                 // MIKROTIK-MIB mtxrBoardName
		{e + "14988.1.1.4.4.0", version},               // MIKROTIK-MIB mtxrLicVersion
		{e + "1991.1.1.1.1.2.0", serial},               // FOUNDRY-SN-AGENT-MIB snChasSerNum
		{e + "1991.1.1.2.1.11.0", version},             // FOUNDRY-SN-AGENT-MIB snAgImgVer
		{e + "14823.2.2.1.2.1.29.0", serial},           // WLSX-SYSTEMEXT-MIB wlsxSysExtSerialNumber
		{e + "11.2.36.1.1.2.9.0", serial},              // SEMI-MIB hpHttpMgSerialNumber
		{e + "3375.2.1.3.3.3.0", serial},               // F5-BIGIP-SYSTEM-MIB sysGeneralChassisSerialNum
		{e + "3375.2.1.4.2.0", version},                // F5-BIGIP-SYSTEM-MIB sysProductVersion
		{e + "41112.1.6.3.3.0", model},                 // UBNT-UniFi-MIB unifiApSystemModel
		{e + "41112.1.6.3.6.0", version},               // UBNT-UniFi-MIB unifiApSystemVersion
		{e + "8072.1.3.2.3.1.2." + extension, version}, // NET-SNMP-EXTEND-MIB nsExtendOutputFull."version": OPNsense
		{e + "9.3.6.3.0", chosenSerial},                // OLD-CISCO-CHASSIS-MIB chassisId, which "snmp-server chassis-id" sets
	}
}

// extension is the index "version" of a table indexed by text: length, characters.
const extension = "7.118.101.114.115.105.111.110"

// Columns of entPhysicalTable (ENTITY-MIB, RFC 6933).
const (
	entPhysical            = ".1.3.6.1.2.1.47.1.1.1.1."
	entPhysicalContainedIn = entPhysical + "4."
	entPhysicalClass       = entPhysical + "5"
	entPhysicalSoftwareRev = entPhysical + "10."
	entPhysicalSerialNum   = entPhysical + "11."
	entPhysicalModelName   = entPhysical + "13."

	classChassis = 3 // each member of a stack is one; the stack itself is 11
)
