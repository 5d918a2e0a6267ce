# A guest that CaaS has nothing to do with.
step up
sleep 100000
