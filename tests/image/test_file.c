/* Files read within limits, written whole or not at all. */
#include "support.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/file.h"

/* A fresh folder for each test; *state is its name. */
static int enter(void **state)
{
    char *name = sdw_strdup("sdw-file-test-XXXXXX");
    *state = mkdtemp(name);
    return *state ? 0 : -1;
}

static void in_folder(char *path, size_t size, void **state, const char *name)
{
    snprintf(path, size, "%s/%s", (const char *)*state, name);
}

static int leave(void **state)
{
    DIR *folder = opendir(*state);
    for (struct dirent *e; folder && (e = readdir(folder));) {
        char path[512];
        in_folder(path, sizeof path, state, e->d_name);
        if (e->d_name[0] != '.' || strlen(e->d_name) > 2) remove(path);
    }
    if (folder) closedir(folder);
    rmdir(*state);
    sdw_free(*state);
    return 0;
}

static int count_files(void **state)
{
    int n = 0;
    DIR *folder = opendir(*state);
    while (folder && readdir(folder)) n++;
    if (folder) closedir(folder);
    return n - 2; /* "." and ".." */
}

static void assert_content(const char *path, const char *want)
{
    sdw_buf bytes;
    sdw_buf_init(&bytes, 0);
    assert_int_equal(sdw_image_read_file(path, 0, &bytes, NULL), SDW_OK);
    assert_int_equal(bytes.size, strlen(want));
    assert_memory_equal(bytes.data, want, bytes.size);
    sdw_buf_finish(&bytes);
}

static void a_written_file_is_read_back_and_leaves_nothing_else(void **state)
{
    char path[256];
    struct stat st;
    in_folder(path, sizeof path, state, "a.png");
    mode_t mask = umask(022);
    assert_int_equal(sdw_image_write_file(path, "hello", 5, false, NULL), SDW_OK);
    umask(mask);
    assert_content(path, "hello");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0644);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(count_files(state), 1);
}

static void an_existing_file_is_kept_unless_replaced(void **state)
{
    char path[256];
    sdw_error err = { 0 };
    in_folder(path, sizeof path, state, "a.png");
    assert_int_equal(sdw_image_write_file(path, "one", 3, false, &err), SDW_OK);
    assert_int_equal(sdw_image_write_file(path, "two", 3, false, &err), SDW_EXISTS);
    assert_non_null(strstr(err.text, "a.png"));
    assert_int_equal(sdw_image_check_target(path, false, &err), SDW_EXISTS);
    assert_int_equal(sdw_image_check_target(path, true, &err), SDW_OK);
    assert_content(path, "one");
    assert_int_equal(sdw_image_write_file(path, "three", 5, true, &err), SDW_OK);
    assert_content(path, "three");
    assert_int_equal(count_files(state), 1);
}

static void targets_that_cannot_be_are_told_beforehand(void **state)
{
    char path[256];
    in_folder(path, sizeof path, state, "none/a.png");
    assert_int_equal(sdw_image_check_target(path, false, NULL), SDW_NOT_FOUND);
    assert_int_equal(sdw_image_write_file(path, "x", 1, false, NULL), SDW_NOT_FOUND);
    in_folder(path, sizeof path, state, "");
    assert_int_equal(sdw_image_check_target(path, true, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_check_target(*state, true, NULL), SDW_INVALID);
    assert_int_equal(sdw_image_check_target("", true, NULL), SDW_INVALID);
    assert_int_equal(count_files(state), 0);
}

static void a_file_past_the_limit_is_not_read(void **state)
{
    char path[256];
    sdw_error err = { 0 };
    sdw_buf bytes;
    in_folder(path, sizeof path, state, "a");
    assert_int_equal(sdw_image_write_file(path, "12345", 5, false, NULL), SDW_OK);
    sdw_buf_init(&bytes, 1 << 20); /* where the limit does not hold, this ends the read */
    sdw_buf_puts(&bytes, "head");
    assert_int_equal(sdw_image_read_file(path, 4, &bytes, &err), SDW_LIMIT);
    assert_int_equal(bytes.size, 4);
    assert_int_equal(sdw_image_read_file(path, 5, &bytes, &err), SDW_OK);
    assert_memory_equal(bytes.data, "head12345", 9);
    /* A device without a size is cut off too. */
    assert_int_equal(sdw_image_read_file("/dev/zero", 100000, &bytes, &err), SDW_LIMIT);
    assert_int_equal(bytes.size, 9);
    sdw_buf_finish(&bytes);
}

static void what_cannot_be_read_is_named(void **state)
{
    sdw_buf bytes;
    sdw_error err = { 0 };
    sdw_buf_init(&bytes, 0);
    assert_int_equal(sdw_image_read_file("no/such/file.png", 0, &bytes, &err), SDW_NOT_FOUND);
    assert_non_null(strstr(err.text, "no/such/file.png"));
    assert_int_equal(sdw_image_read_file(*state, 0, &bytes, &err), SDW_INVALID);
    assert_int_equal(bytes.size, 0);
    sdw_buf_finish(&bytes);
}

static void a_picture_file_is_decoded_under_its_name(void **state)
{
    char path[256];
    sdw_error err = { 0 };
    sdw_buf file;
    sdw_image *image = pattern(5, 3, 3), *back = NULL;
    encode_ok(image, "png", NULL, &file);
    in_folder(path, sizeof path, state, "a.png");
    assert_int_equal(sdw_image_write_file(path, file.data, file.size, false, NULL), SDW_OK);
    assert_int_equal(sdw_image_decode_file(path, NULL, &back, &err), SDW_OK);
    assert_memory_equal(back->pixels, image->pixels, sdw_image_bytes(image));
    sdw_image_free(back);
    back = NULL;
    assert_int_equal(sdw_image_write_file(path, file.data, 40, true, NULL), SDW_OK);
    assert_int_equal(sdw_image_decode_file(path, NULL, &back, &err), SDW_FORMAT);
    assert_ptr_equal(strstr(err.text, path), err.text);
    assert_null(back);
    sdw_image_free(image);
    sdw_buf_finish(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_written_file_is_read_back_and_leaves_nothing_else, enter, leave),
        cmocka_unit_test_setup_teardown(an_existing_file_is_kept_unless_replaced, enter, leave),
        cmocka_unit_test_setup_teardown(targets_that_cannot_be_are_told_beforehand, enter, leave),
        cmocka_unit_test_setup_teardown(a_file_past_the_limit_is_not_read, enter, leave),
        cmocka_unit_test_setup_teardown(what_cannot_be_read_is_named, enter, leave),
        cmocka_unit_test_setup_teardown(a_picture_file_is_decoded_under_its_name, enter, leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
