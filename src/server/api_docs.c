/* api_docs.c - the tables of apidocs/NAME.c, listed from their file names. */
#include <string.h>

#include "server/api_doc.h"

#define X(name) extern const sdw_api_docs sdw_api_docs_##name;
#include "registry/apidocs.inc"
#undef X

const sdw_api_docs *const sdw_api_doc_tables[] = {
#define X(name) &sdw_api_docs_##name,
#include "registry/apidocs.inc"
#undef X
    0,
};

const sdw_api_doc *sdw_api_doc_of(const char *id)
{
    for (const sdw_api_docs *const *t = sdw_api_doc_tables; *t; t++)
        for (int i = 0; i < (*t)->row_count; i++)
            if (strcmp((*t)->rows[i].id, id) == 0) return &(*t)->rows[i];
    return NULL;
}
