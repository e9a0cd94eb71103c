using EventBus.Stores;
using RabbitMQ.Client;

namespace EventBus;

/// <summary>
/// Counts the attempts of a claimed entry. The broker's number of deliveries shows the attempts that ended with their
/// process.
/// </summary>
internal static class RetryAttempts
{
    /// <summary>
    /// Returns an entry whose attempts include the earlier deliveries of its message, and the attempt that follows.
    /// </summary>
    public static FailedEvent Add(FailedEvent entry, BasicGetResult message)
    {
        var interruptions = RabbitMqDeliveryCount.EarlierDeliveries(message.BasicProperties, message.Redelivered, countsDeliveries: true);
        var wasInterrupted = entry.WasInterrupted || interruptions > 0;

        // Only attempts of an entry that was already interrupted can be concurrent. A held message cannot store whether
        // another redelivered event was running, so each interruption of such an attempt counts as concurrent.
        var interruptionsOfFirstAttempt = entry.WasInterrupted ? 0 : 1;
        var isConcurrent = entry.Concurrent > 0 || interruptions > interruptionsOfFirstAttempt;

        // Each earlier delivery that was not settled was an attempt. The attempt that follows is counted here, except
        // after an interruption: then the broker counts it if it ends with the process.
        return entry with
        {
            WasInterrupted = wasInterrupted,
            Attempts = entry.Attempts + interruptions + (wasInterrupted ? 0 : 1),
            Concurrent = isConcurrent ? 1 : 0,
        };
    }
}
