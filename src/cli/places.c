/* places.c - see places.h. */
#include "cli/places.h"

#include "cli/model_place.h"

sdw_status sdw_cli_places_read(sdw_cli_places *ret, sdw_error *err)
{
    *ret = (sdw_cli_places){ 0 };
    sdw_status s = sdw_hub_settings_read(&ret->settings, NULL, NULL, err);
    if (s != SDW_OK) return s;
    ret->places.cache = ret->settings.cache;
    ret->places.models = ret->settings.models;
    if (sdw_cli_demo_model(ret->demo, NULL) == SDW_OK) ret->places.demo = ret->demo;
    return SDW_OK;
}

void sdw_cli_places_finish(sdw_cli_places *p)
{
    sdw_hub_settings_finish(&p->settings);
    p->places = (sdw_catalog_places){ 0 };
}
