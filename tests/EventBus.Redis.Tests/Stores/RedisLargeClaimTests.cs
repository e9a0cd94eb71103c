using EventBus.Transports;

namespace EventBus.Redis.Tests;

/// <summary>
/// Shows that the entries of one claim are transmitted within its lease, also over a slow connection.
/// </summary>
public sealed class RedisLargeClaimTests
{
    private const int Count = 5;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Due_LargeEntries_AreClaimedAFewAtATimeUntilAllAre()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        for (var number = 0; number < Count; number++)
        {
            await stores.Failures.RecordAsync(TestStores.Waiting("x") with { Envelope = Large(number), DueAt = TestStores.Now }, Token);
        }

        var claimed = new List<string>();
        while (claimed.Count < Count)
        {
            var batch = await stores.Failures.ClaimDueAsync(["mail"], TestStores.Now, TestStores.Lease, 10, Token);
            claimed.AddRange(batch.Entries.Select(entry => entry.Envelope.Id));
            Assert.InRange(batch.Entries.Count, 1, 2);
            Assert.True(claimed.Count == Count || batch.NextDue <= TestStores.Now, $"The next is due at {batch.NextDue}.");
        }

        Assert.Equal(Enumerable.Range(0, Count).Select(number => $"p-{number}"), claimed.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Delayed_LargeEvents_AreClaimedAFewAtATimeUntilAllAre()
    {
        await using var redis = await TestRedis.OpenAsync();
        await using var stores = await TestStores.OpenAsync(redis.Prefix);
        for (var number = 0; number < Count; number++)
        {
            await stores.Delays.AddAsync(Large(number), TestStores.Now, Token);
        }

        var claimed = new List<string>();
        while (claimed.Count < Count)
        {
            var batch = await stores.Delays.ClaimDueAsync(TestStores.Now, TestStores.Lease, 10, Token);
            claimed.AddRange(batch.Entries.Select(envelope => envelope.Id));
            Assert.InRange(batch.Entries.Count, 1, 2);
            Assert.True(claimed.Count == Count || batch.NextDue <= TestStores.Now, $"The next is due at {batch.NextDue}.");
        }

        Assert.Equal(Enumerable.Range(0, Count).Select(number => $"p-{number}"), claimed.Order(StringComparer.Ordinal));
    }

    private static Envelope Large(int number) => new(
        new EnvelopeAttributes { Id = $"p-{number}", Name = "parcel.sent", Time = DateTimeOffset.UnixEpoch },
        new byte[3 * 1024 * 1024]);
}
