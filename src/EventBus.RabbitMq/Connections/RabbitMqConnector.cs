using Microsoft.Extensions.Logging;

namespace EventBus;

/// <summary>The connections of one bus, which its transport and its stores share: one for publishing and one for consuming, because a blocked publisher must not delay an acknowledgement. Thread-safe.</summary>
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

    /// <summary>No store is beside the broker: its queues keep what failed.</summary>
    public bool KeepsFailures { get; set; }

    /// <summary>The broker, for people: host and port.</summary>
    public string Place => source.Place;

    public SupervisedConnection Publishing => Started("publishing", ref publishing);

    public SupervisedConnection Consuming => Started("consuming", ref consuming);

    /// <summary>Allows the connections, each of which opens when it is first asked for. Each call asks for one <see cref="ReleaseAsync"/>.</summary>
    public void Share(string serviceName, TimeProvider clock)
    {
        lock (gate)
        {
            users++;
            (service, time) = (serviceName, clock);
        }
    }

    /// <summary>Closes both after the last user. Never throws.</summary>
    public async Task ReleaseAsync()
    {
        SupervisedConnection?[] last;
        lock (gate)
        {
            if (--users > 0)
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
                link = new SupervisedConnection(service, name, source, options, users > 0 ? time! : throw new InvalidOperationException("The transport was not started."), log);
                link.Start();
            }

            return link;
        }
    }
}
