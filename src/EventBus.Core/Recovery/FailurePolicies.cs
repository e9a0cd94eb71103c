namespace EventBus;

/// <summary>Gets the failure policy of a subscription by its name. Immutable.</summary>
/// <param name="known">The policies of the subscriptions that this instance consumes.</param>
/// <param name="defaultRetry">The retry policy of all other subscriptions.</param>
internal sealed class FailurePolicies(IEnumerable<FailurePolicy> known, RetryPolicy defaultRetry)
{
    private readonly Dictionary<string, FailurePolicy> policies = known.ToDictionary(policy => policy.Subscription, StringComparer.Ordinal);

    public FailurePolicy Of(string subscription) =>
        policies.GetValueOrDefault(subscription) ?? new FailurePolicy(subscription, Ordered: false, defaultRetry);
}
