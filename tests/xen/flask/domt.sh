# DomT has the page of the TPM's locality 2, and no other.
check "DomT has the TPM's locality 2" devmem 0xfed42000 8
refuses "DomT has no other locality" devmem 0xfed43000 8
step mapped
# dom0 may not end it.
sleep 100000
