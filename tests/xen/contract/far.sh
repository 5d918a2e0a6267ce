# The connecting half, which does what the other one says.
check "the connecting half is told to end, by the listening one" timeout 440 contract far \
	"vchan:$(word near):data/control"
