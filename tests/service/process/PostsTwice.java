import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;

/** Posts the body of its second argument twice to the URL of its first, with the headers that follow in pairs. */
class PostsTwice {
    public static void main(String[] arguments) throws Exception {
        HttpClient client = HttpClient.newHttpClient(); // offers HTTP/2 with each first request over plain HTTP
        for (int time = 0; time < 2; time++) {
            HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(arguments[0]));
            for (int at = 2; at < arguments.length; at += 2) {
                request.header(arguments[at], arguments[at + 1]);
            }
            request.POST(BodyPublishers.ofString(arguments[1]));
            var answer = client.send(request.build(), BodyHandlers.ofString());
            System.out.println(answer.statusCode() + " " + answer.version() + " " + answer.body());
        }
    }
}
