/* projection.c - see projection.h. Least squares over the cells of the card: colour = factors * channels + constant. */
#include "engine/projection.h"

#include <math.h>
#include <string.h>

#include "core/mem.h"

enum { SIDE = 16, UNKNOWNS_MAX = SDW_PROJECTION_CHANNELS_MAX + 1 }; /* SIDE in latent cells */

/* Colours that every VAE has seen: smooth ones over the whole card, and patches of two cells' side with all mixtures of
 * dark, middle and bright. Coordinates in cells; 0..1. */
static float card(double x, double y, int channel)
{
    static const double phase[3] = { 0.0, 2.1, 4.2 };
    int px = (int)(x / 2), py = (int)(y / 2), n = px + 8 * py;
    double smooth = 0.5 + 0.5 * sin(0.55 * x + 0.35 * y + phase[channel]) * cos(0.3 * y - 0.2 * x + phase[channel]);
    int level = channel == 0 ? n % 3 : channel == 1 ? n / 3 % 3 : n / 9 % 3;
    return (float)((px + py) % 2 ? 0.1 + 0.4 * level : smooth);
}

/* (3, SIDE * factor, SIDE * factor) in [-1, 1]; and the mean colour of each cell, (SIDE * SIDE, 3) in 0..1. */
static void paint(float *picture, float *means, int factor)
{
    size_t side = (size_t)(SIDE * factor);
    memset(means, 0, (size_t)SIDE * SIDE * 3 * sizeof *means);
    for (int c = 0; c < 3; c++)
        for (size_t y = 0; y < side; y++)
            for (size_t x = 0; x < side; x++) {
                float v = card(((double)x + 0.5) / factor, ((double)y + 0.5) / factor, c);
                size_t cell = y / (size_t)factor * SIDE + x / (size_t)factor;
                picture[((size_t)c * side + y) * side + x] = 2.0f * v - 1.0f;
                means[3 * cell + (size_t)c] += v / (float)(factor * factor);
            }
}

/* Normal equations of one colour, with a trace of a ridge: channels that say nothing get nothing. Gaussian elimination. */
static bool solve(double m[UNKNOWNS_MAX][UNKNOWNS_MAX + 1], int n)
{
    for (int i = 0; i < n; i++) {
        int best = i;
        for (int r = i + 1; r < n; r++)
            if (fabs(m[r][i]) > fabs(m[best][i])) best = r;
        if (!(fabs(m[best][i]) > 1e-12)) return false;
        for (int k = 0; k <= n; k++) {
            double t = m[i][k];
            m[i][k] = m[best][k];
            m[best][k] = t;
        }
        for (int r = 0; r < n; r++) {
            double f = r == i ? 0.0 : m[r][i] / m[i][i];
            for (int k = i; k <= n && f != 0.0; k++) m[r][k] -= f * m[i][k];
        }
    }
    for (int i = 0; i < n; i++) m[i][n] /= m[i][i];
    return true;
}

static bool fit(const float *z, const float *means, sdw_projection *ret)
{
    const int n = ret->channels + 1, cells = SIDE * SIDE;
    for (int c = 0; c < 3; c++) {
        double m[UNKNOWNS_MAX][UNKNOWNS_MAX + 1] = { { 0 } };
        for (int i = 0; i < cells; i++) {
            double v[UNKNOWNS_MAX];
            for (int k = 0; k < ret->channels; k++) v[k] = z[k * cells + i];
            v[n - 1] = 1.0;
            for (int a = 0; a < n; a++) {
                for (int b = 0; b < n; b++) m[a][b] += v[a] * v[b];
                m[a][n] += v[a] * means[3 * i + c];
            }
        }
        for (int a = 0; a < n; a++) m[a][a] += 1e-3 * cells;
        if (!solve(m, n)) return false;
        for (int a = 0; a < n; a++) ret->factor[a][c] = (float)m[a][n];
    }
    return true;
}

sdw_status sdw_projection_fit(sdw_pipeline *p, sdw_projection *ret, sdw_error *err)
{
    const sdw_pipeline_shape *s = sdw_pipeline_shape_of(p);
    const size_t cells = SIDE * SIDE, pixels = cells * (size_t)s->vae_factor * (size_t)s->vae_factor;
    sdw_projection fitted = { .channels = s->latent_channels };
    if (s->latent_channels > SDW_PROJECTION_CHANNELS_MAX)
        return sdw_fail(err, SDW_UNSUPPORTED, "previews: %d latent channels, want at most %d", s->latent_channels, SDW_PROJECTION_CHANNELS_MAX);
    float *picture = sdw_malloc(3 * pixels * sizeof *picture), *means = sdw_malloc(3 * cells * sizeof *means);
    float *moments = sdw_malloc(2 * (size_t)s->latent_channels * cells * sizeof *moments);
    sdw_status status = picture && means && moments ? SDW_OK : sdw_fail_memory(err, "previews", 3 * pixels * sizeof *picture);
    if (status == SDW_OK) {
        paint(picture, means, s->vae_factor);
        status = sdw_pipeline_vae_encode(p, SIDE, SIDE, picture, moments, err);
    }
    for (size_t i = 0; status == SDW_OK && i < (size_t)s->latent_channels * cells; i++) moments[i] = (float)((moments[i] - s->shift_factor) * s->scaling_factor);
    if (status == SDW_OK && !fit(moments, means, &fitted)) status = sdw_fail(err, SDW_NUMERIC, "previews: the VAE gives no colours to fit");
    sdw_free(picture);
    sdw_free(means);
    sdw_free(moments);
    if (status == SDW_OK) *ret = fitted;
    return status;
}

void sdw_projection_apply(const sdw_projection *p, const float *z, size_t count, uint8_t *rgb)
{
    for (size_t i = 0; i < count; i++)
        for (int c = 0; c < 3; c++) {
            float v = p->factor[p->channels][c];
            for (int k = 0; k < p->channels; k++) v += p->factor[k][c] * z[(size_t)k * count + i];
            v = 255.0f * v + 0.5f;
            rgb[3 * i + (size_t)c] = (uint8_t)(!(v > 0.0f) ? 0 : v > 255.0f ? 255 : v);
        }
}
