/* published.h - configurations as the model makers published them, as JSON text, for families that share parts. They
 * stand in for the config files that a single file lacks. Keys with the default of their diffusers class are left out.
 * Keys and values: the config files of stable-diffusion-v1-5, stable-diffusion-2-1, stable-diffusion-2-inpainting,
 * stable-diffusion-xl-base-1.0 and their inpainting and Turbo companions. */
#ifndef SDW_MODEL_FAMILIES_PUBLISHED_H
#define SDW_MODEL_FAMILIES_PUBLISHED_H

#define SDW_CLIP_L_CONFIG                                                                                             \
    "{\"architectures\":[\"CLIPTextModel\"],\"hidden_act\":\"quick_gelu\",\"hidden_size\":768,"                       \
    "\"intermediate_size\":3072,\"layer_norm_eps\":1e-05,\"max_position_embeddings\":77,\"num_attention_heads\":12,"  \
    "\"num_hidden_layers\":12,\"projection_dim\":768,\"vocab_size\":49408}"

/* 24 layers were trained; the model was trained on the output of the last but one, so the configuration has 23. */
#define SDW_OPENCLIP_H_CONFIG                                                                                         \
    "{\"architectures\":[\"CLIPTextModel\"],\"hidden_act\":\"gelu\",\"hidden_size\":1024,"                            \
    "\"intermediate_size\":4096,\"layer_norm_eps\":1e-05,\"max_position_embeddings\":77,\"num_attention_heads\":16,"  \
    "\"num_hidden_layers\":23,\"projection_dim\":512,\"vocab_size\":49408}"

#define SDW_OPENCLIP_G_CONFIG                                                                                         \
    "{\"architectures\":[\"CLIPTextModelWithProjection\"],\"hidden_act\":\"gelu\",\"hidden_size\":1280,"              \
    "\"intermediate_size\":5120,\"layer_norm_eps\":1e-05,\"max_position_embeddings\":77,\"num_attention_heads\":20,"  \
    "\"num_hidden_layers\":32,\"projection_dim\":1280,\"vocab_size\":49408}"

/* size: latent pixels of the training pictures. */
#define SDW_SD1_UNET_CONFIG(channels, size)                                                                           \
    "{\"_class_name\":\"UNet2DConditionModel\",\"attention_head_dim\":8,"                                             \
    "\"block_out_channels\":[320,640,1280,1280],\"cross_attention_dim\":768,"                                         \
    "\"down_block_types\":[\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\","               \
    "\"DownBlock2D\"],\"in_channels\":" #channels ",\"layers_per_block\":2,\"norm_eps\":1e-05,\"out_channels\":4,"    \
    "\"sample_size\":" #size ",\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\","      \
    "\"CrossAttnUpBlock2D\"]}"

#define SDW_SD2_UNET_CONFIG(channels, size)                                                                           \
    "{\"_class_name\":\"UNet2DConditionModel\",\"attention_head_dim\":[5,10,20,20],"                                  \
    "\"block_out_channels\":[320,640,1280,1280],\"cross_attention_dim\":1024,"                                        \
    "\"down_block_types\":[\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\",\"CrossAttnDownBlock2D\","               \
    "\"DownBlock2D\"],\"in_channels\":" #channels ",\"layers_per_block\":2,\"norm_eps\":1e-05,\"out_channels\":4,"    \
    "\"sample_size\":" #size ",\"up_block_types\":[\"UpBlock2D\",\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\","      \
    "\"CrossAttnUpBlock2D\"],\"use_linear_projection\":true}"

#define SDW_XL_UNET_CONFIG(channels, size)                                                                            \
    "{\"_class_name\":\"UNet2DConditionModel\",\"addition_embed_type\":\"text_time\","                                \
    "\"addition_time_embed_dim\":256,\"attention_head_dim\":[5,10,20],\"block_out_channels\":[320,640,1280],"         \
    "\"cross_attention_dim\":2048,\"down_block_types\":[\"DownBlock2D\",\"CrossAttnDownBlock2D\","                    \
    "\"CrossAttnDownBlock2D\"],\"in_channels\":" #channels ",\"layers_per_block\":2,\"norm_eps\":1e-05,"              \
    "\"out_channels\":4,\"projection_class_embeddings_input_dim\":2816,\"sample_size\":" #size ","                    \
    "\"transformer_layers_per_block\":[1,2,10],\"up_block_types\":[\"CrossAttnUpBlock2D\",\"CrossAttnUpBlock2D\","    \
    "\"UpBlock2D\"],\"use_linear_projection\":true}"

/* size: pixels of the training pictures. */
#define SDW_VAE_CONFIG(scaling, size)                                                                                 \
    "{\"_class_name\":\"AutoencoderKL\",\"block_out_channels\":[128,256,512,512],"                                    \
    "\"down_block_types\":[\"DownEncoderBlock2D\",\"DownEncoderBlock2D\",\"DownEncoderBlock2D\","                     \
    "\"DownEncoderBlock2D\"],\"latent_channels\":4,\"layers_per_block\":2,\"sample_size\":" #size ","                 \
    "\"scaling_factor\":" #scaling ",\"up_block_types\":[\"UpDecoderBlock2D\",\"UpDecoderBlock2D\","                  \
    "\"UpDecoderBlock2D\",\"UpDecoderBlock2D\"]}"

/* The noise schedule that all of them were trained with. */
#define SDW_BETAS                                                                                                     \
    "\"beta_end\":0.012,\"beta_schedule\":\"scaled_linear\",\"beta_start\":0.00085,\"num_train_timesteps\":1000"

#define SDW_PNDM_CONFIG                                                                                               \
    "{\"_class_name\":\"PNDMScheduler\"," SDW_BETAS ",\"prediction_type\":\"epsilon\",\"set_alpha_to_one\":false,"    \
    "\"skip_prk_steps\":true,\"steps_offset\":1}"
#define SDW_DDIM_CONFIG(prediction)                                                                                   \
    "{\"_class_name\":\"DDIMScheduler\"," SDW_BETAS ",\"clip_sample\":false,\"prediction_type\":\"" #prediction "\"," \
    "\"set_alpha_to_one\":false,\"steps_offset\":1}"
#define SDW_EULER_CONFIG(class, spacing, offset)                                                                      \
    "{\"_class_name\":\"" #class "\"," SDW_BETAS ",\"prediction_type\":\"epsilon\",\"steps_offset\":" #offset ","     \
    "\"timestep_spacing\":\"" #spacing "\"}"

#endif
