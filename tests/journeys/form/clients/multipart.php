<?php
// curl sends an array as multipart/form-data, which plug-ins do when they forget http_build_query.
$ch = curl_init(getenv('API_URL'));
curl_setopt($ch, CURLOPT_POSTFIELDS, json_decode(getenv('API_FIELDS'), true));
curl_setopt($ch, CURLOPT_RETURNTRANSFER, 1);
$response = curl_exec($ch);
if ($response === false) {
    fwrite(STDERR, curl_error($ch));
    exit(1);
}
echo $response;
