using EventBus.Transports;

namespace EventBus;

/// <summary>Removes what the backend keeps for subscriptions that the application no longer has.</summary>
/// <param name="transport">The transport.</param>
/// <param name="registered">The subscriptions of the application, whether or not this instance consumes them.</param>
/// <param name="leftovers">Forgets the removed subscriptions; null if the backend lists them itself.</param>
internal sealed class SubscriptionRetirement(Transport transport, IReadOnlySet<string> registered, LeftoverWatch? leftovers)
{
    /// <summary>Returns true if the application has a subscription of this name.</summary>
    public bool IsRegistered(string subscription) => registered.Contains(subscription);

    /// <summary>
    /// Removes what the backend keeps for a subscription that the application no longer has, and forgets its name.
    /// </summary>
    public async Task RetireAsync(string subscription, bool discardWaiting, CancellationToken cancellationToken)
    {
        await transport.RetireAsync(subscription, discardWaiting, cancellationToken);
        if (leftovers is not null)
        {
            await leftovers.ForgetAsync(subscription, cancellationToken);
        }
    }
}
