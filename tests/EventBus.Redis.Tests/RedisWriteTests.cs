using System.Reflection;
using EventBus.Transports;
using StackExchange.Redis;

namespace EventBus.Redis.Tests;

public sealed class RedisWriteTests
{
    private const int Rounds = 300;

    // So many that making room for their answers takes a while, in which the time may be up.
    private const int Entries = 100_000;

    [Fact]
    public async Task Send_TimeIsUpAtThatMoment_IsFailedOnlyIfNothingWasHandedOver()
    {
        List<(RedisKey, NameValueEntry[])> entries = [.. Enumerable.Repeat(((RedisKey)"stream", Array.Empty<NameValueEntry>()), Entries)];
        var (failedAndSent, expired) = (0, 0);
        for (var round = 0; round < Rounds; round++)
        {
            using var deadline = new CancellationTokenSource();
            var database = DispatchProxy.Create<IDatabase, CountingDatabase>();
            var write = new RedisWrite(entries, together: false, deadline.Token);
            using var atOnce = new Barrier(2);
            var sender = new Thread(() =>
            {
                atOnce.SignalAndWait(CancellationToken.None);
                write.Send(database);
            });
            sender.Start();
            atOnce.SignalAndWait(TestContext.Current.CancellationToken);
            Thread.SpinWait(round % 50);
            await deadline.CancelAsync();
            await write.Ended.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);
            var outcome = await write.OutcomeAsync(0);
            sender.Join();

            var isFailed = outcome.Status == PublishStatus.Failed;
            failedAndSent += isFailed && ((CountingDatabase)(object)database).IsUsed ? 1 : 0;
            expired += isFailed ? 1 : 0;
        }

        Assert.True(failedAndSent == 0, $"{failedAndSent} of {expired} that failed for sure had been handed over.");
    }

    /// <summary>Takes nothing, and knows whether it was asked to.</summary>
    public class CountingDatabase : DispatchProxy
    {
        public bool IsUsed { get; private set; }

        protected override object? Invoke(MethodInfo? targetMethod, object?[]? args)
        {
            IsUsed = true;
            throw new IOException("The wire is cut.");
        }
    }
}
