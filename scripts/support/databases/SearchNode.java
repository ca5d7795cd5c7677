import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.Paths;
import java.util.Collections;
import java.util.List;
import org.PRODUCT.common.settings.Settings;
import org.PRODUCT.env.Environment;
import org.PRODUCT.node.InternalSettingsPreparer;
import org.PRODUCT.node.Node;
import org.PRODUCT.transport.Netty4Plugin;

/**
 * A real node of OpenSearch or Elasticsearch (installing puts a name in place of PRODUCT), reached over loopback only.
 *
 * <p>Usage: SearchNode HOME PORT. The node is built directly, without the start-up checks of its own program, so that
 * root may run it. It ends in good order on TERM.
 */
public class SearchNode extends Node {
    private static final String NAME = "node";

    private SearchNode(Environment environment) {
        super(environment, List.of(Netty4Plugin.class), false);
    }

    public static void main(String[] arguments) throws Exception {
        Path home = Paths.get(arguments[0]).toAbsolutePath();
        Path config = Files.createDirectories(home.resolve("config"));
        Settings settings = Settings.builder()
                .put("path.home", home.toString())
                .put("path.data", home.resolve("data").toString())
                .put("cluster.name", "test")
                .put("node.name", NAME)
                .put("discovery.type", "single-node")
                .put("network.host", "127.0.0.1")
                .put("http.type", "netty4")
                .put("transport.type", "netty4")
                .put("http.port", arguments[1])
                .put("transport.port", "0")
                // A full disk of the machine is no reason to refuse the little that tests write.
                .put("cluster.routing.allocation.disk.threshold_enabled", false)
                .build();
        SearchNode node = new SearchNode(
                InternalSettingsPreparer.prepareEnvironment(settings, Collections.emptyMap(), config, () -> NAME));
        Runtime.getRuntime().addShutdownHook(new Thread(node::closeOrTell));
        node.start();
        Thread.currentThread().join();
    }

    private void closeOrTell() {
        try {
            close();
        } catch (Exception exception) {
            exception.printStackTrace();
        }
    }
}
