using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Redis.Tests;

public sealed class CrashTests
{
    [Fact]
    public async Task Consumer_KilledWhileItHandles_LeavesTheEventToAnother()
    {
        await using var redis = await TestRedis.OpenAsync();
        using var victim = StartVictim(redis.Prefix);
        try
        {
            await ExpectAsync(victim, "ready");
            var handled = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously);
            using var heir = Victim.Build(redis.Prefix, (_, context, _) =>
            {
                handled.TrySetResult(context.EventId);
                return Task.CompletedTask;
            });

            // The heir starts after the victim took the event, so nobody but the victim can have been given it first.
            await using var publisher = await redis.StartAsync();
            await TestRedis.PublishAcceptedAsync(publisher, new Transports.Envelope(new() { Id = "only-one", Name = "parcel.sent" }, """{"Number":1}"""u8.ToArray()));
            await ExpectAsync(victim, "took only-one");
            await heir.StartAsync(TestContext.Current.CancellationToken);
            Assert.False(handled.Task.IsCompleted);

            victim.Kill();
            await victim.WaitForExitAsync(TestContext.Current.CancellationToken).WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);

            Assert.Equal("only-one", await handled.Task.WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken));
            await heir.StopAsync(TestContext.Current.CancellationToken);
            Assert.Equal(0, (await redis.Database.StreamPendingAsync(redis.ParcelStream, $"{Victim.Service}.{Victim.Subscription}")).PendingMessageCount);
        }
        finally
        {
            victim.Kill();
        }
    }

    private static Process StartVictim(string prefix) => Process.Start(new ProcessStartInfo("dotnet", [typeof(CrashTests).Assembly.Location, "victim", prefix])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
    })!;

    private static async Task ExpectAsync(Process victim, string line)
    {
        var read = await victim.StandardOutput.ReadLineAsync(TestContext.Current.CancellationToken).AsTask().WaitAsync(TestRedis.Patience, TestContext.Current.CancellationToken);
        Assert.Equal(line, read);
    }
}
