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

    /// <summary>The host and port of the broker, for log and error messages.</summary>
    public string Place => source.Place;

    public SupervisedConnection Publishing => Started("publishing", ref publishing);

    public SupervisedConnection Consuming => Started("consuming", ref consuming);

    /// <summary>
    /// Adds a user of the connections, each of which opens on its first use. Each call requires one
    /// <see cref="ReleaseAsync"/>.
    /// </summary>
    public void Share(string serviceName, TimeProvider clock)
    {
        lock (gate)
        {
            users++;
            (service, time) = (serviceName, clock);
        }
    }

    /// <summary>Removes a user, and closes both connections after the last one. Never throws.</summary>
    public async Task ReleaseAsync()
    {
        SupervisedConnection?[] last;
        lock (gate)
        {
            users--;
            if (users > 0)
            {
                return;
            }

            last = [publishing, consuming];
            (publishing, consuming) = (null, null);
        }

        await Task.WhenAll(last.OfType<SupervisedConnection>().Select(link => link.DisposeAsync().AsTask()));
    }

    private SupervisedConnection Started(string name, ref SupervisedConnection? link)
    {
        lock (gate)
        {
            if (link is null)
            {
                if (users == 0)
                {
                    throw new InvalidOperationException("The transport was not started.");
                }

                var opener = new ConnectionOpener(source, $"eventbus {service} {name}", options, time!);
                link = new SupervisedConnection(name, opener, options, time!, log);
                link.Start();
            }

            return link;
        }
    }
}
