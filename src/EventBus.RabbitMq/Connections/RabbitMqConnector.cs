using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>
/// Holds the connections of one bus, which its transport and its stores share: one for publishing and one for
/// consuming, so that a blocked publisher does not delay an acknowledgement. Thread-safe.
/// </summary>
internal sealed class RabbitMqConnector(RabbitMqConnectionSource source, RabbitMqOptions options, ILogger log)
{
    private readonly Lock gate = new();
    private SupervisedConnection? publishing;
    private SupervisedConnection? consuming;
    private TimeProvider? time;
    private string service = "";
    private int users;

    public RabbitMqOptions Options => options;

    public ILogger Log => log;

    /// <summary>True if the queues of the broker keep failures, because no store is configured in addition.</summary>
    public bool KeepsFailures { get; set; }

    /// <summary>The hosts and ports of the broker, for log and error messages. Contains no secrets.</summary>
    public string Address => source.Address;

    public SupervisedConnection Publishing => GetOrStart("publishing", ref publishing);

    public SupervisedConnection Consuming => GetOrStart("consuming", ref consuming);

    /// <summary>
    /// Adds a user of the connections, each of which opens on its first use. Each call requires one
    /// <see cref="ReleaseAsync"/>.
    /// </summary>
    public void Acquire(string serviceName, TimeProvider clock)
    {
        lock (gate)
        {
            users++;
            service = serviceName;
            time = clock;
        }
    }

    /// <summary>Removes a user, and closes both connections after the last one. Never throws.</summary>
    public async Task ReleaseAsync()
    {
        SupervisedConnection?[] links;
        lock (gate)
        {
            users--;
            if (users > 0)
            {
                return;
            }

            links = [publishing, consuming];
            publishing = null;
            consuming = null;
        }

        // OfType skips the connections that were never used.
        await Task.WhenAll(links.OfType<SupervisedConnection>().Select(link => link.DisposeAsync().AsTask()));
    }

    private SupervisedConnection GetOrStart(string name, ref SupervisedConnection? link)
    {
        lock (gate)
        {
            if (link is null)
            {
                if (users <= 0)
                {
                    throw new InvalidOperationException("The transport and the stores are not started, or are already closed.");
                }

                var opener = new ConnectionOpener(source, $"eventbus {service} {name}", options, time!);
                link = new SupervisedConnection(name, opener, options, time!, log);
                link.Start();
            }

            return link;
        }
    }
}
