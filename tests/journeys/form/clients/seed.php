<?php
// The request of the API's documentation, line by line; what differs from call to call is in the environment.
$ch = curl_init();
curl_setopt($ch, CURLOPT_URL, getenv('API_URL'));
curl_setopt($ch, CURLOPT_POST, 1);
curl_setopt($ch, CURLOPT_POSTFIELDS,
    http_build_query(
        array(
            'action' => 'GetTicketCounts',
            'username' => getenv('API_USERNAME'),
            'password' => getenv('API_PASSWORD'),
            'ignoreDepartmentAssignments' => getenv('IGNORE') === 'yes',
            'includeCountsByStatus' => getenv('BY_STATUS') === 'yes',
            'responsetype' => getenv('RESPONSETYPE') ?: 'json',
        )
    )
);
curl_setopt($ch, CURLOPT_RETURNTRANSFER, 1);
$response = curl_exec($ch);
if ($response === false) {
    fwrite(STDERR, curl_error($ch));
    exit(1);
}
echo curl_getinfo($ch, CURLINFO_HTTP_CODE), ' ', curl_getinfo($ch, CURLINFO_CONTENT_TYPE), "\n", $response;
