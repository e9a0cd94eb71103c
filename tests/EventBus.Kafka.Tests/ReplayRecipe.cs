namespace EventBus.Kafka.Tests;

/// <summary>The code of the section about replay in docs/kafka.md.</summary>
internal static class ReplayRecipe
{
    public static async Task<long> ReplayAsync(
        ISubscriptionManager subscriptions, DateTimeOffset yesterday, CancellationToken cancellationToken)
    {
        #region recipe
        var number = await subscriptions.ReplayAsync("mail", ReplayStart.FromTime(yesterday), cancellationToken);
        #endregion
        return number;
    }
}
