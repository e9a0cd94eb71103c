using EventBus.Stores;

namespace EventBus;

/// <summary>
/// Takes alerts from a queue. Holds them unacknowledged while they are sent, and acknowledges them afterwards.
/// </summary>
internal sealed class RabbitMqAlertQueue(RabbitMqConnector connector) : IAsyncDisposable
{
    private readonly RabbitMqQueueReader reader = new(connector);
    private readonly Lock gate = new();
    private readonly Dictionary<PendingAlert, (FailedEvent Entry, List<PulledMessage> Messages)> held = [];

    /// <summary>
    /// Takes waiting alerts. If the channel of a held alert was lost, the alert arrives again in a new message. Then
    /// both messages belong to the same held alert.
    /// </summary>
    public async Task<IReadOnlyList<PendingAlert>> TakeAsync(
        RabbitMqTopology topology,
        IReadOnlyCollection<string> subscriptions,
        int max,
        CancellationToken cancellationToken)
    {
        var taken = new List<PendingAlert>();
        while (taken.Count < max)
        {
            var pulled = await reader.GetAsync(topology.AlertQueue, cancellationToken);
            if (pulled is null)
            {
                break;
            }

            var entry = RabbitMqFailureFormat.Read(pulled.Message, topology, subscriptions, FailedEventStatus.Dead);
            var alert = new PendingAlert(entry.Id, entry.Number, entry.Subscription, entry.Envelope.Name);
            lock (gate)
            {
                if (held.TryGetValue(alert, out var heldAlert))
                {
                    heldAlert.Messages.Add(pulled);
                }
                else
                {
                    held.Add(alert, (entry, [pulled]));
                }
            }

            taken.Add(alert);
        }

        return taken;
    }

    /// <summary>Finds the dead letter of a held alert; null if the alert is not held.</summary>
    public FailedEvent? Find(PendingAlert alert)
    {
        lock (gate)
        {
            return held.TryGetValue(alert, out var heldAlert) ? heldAlert.Entry : null;
        }
    }

    /// <summary>Acknowledges the messages of alerts that were sent.</summary>
    public async ValueTask SettleAsync(IReadOnlyCollection<PendingAlert> sent)
    {
        foreach (var alert in sent)
        {
            List<PulledMessage> messages;
            lock (gate)
            {
                messages = held.TryGetValue(alert, out var heldAlert) ? heldAlert.Messages : [];
            }

            foreach (var message in messages)
            {
                await message.AckAsync();
            }

            lock (gate)
            {
                held.Remove(alert);
            }
        }
    }

    public ValueTask DisposeAsync() => reader.DisposeAsync();
}
