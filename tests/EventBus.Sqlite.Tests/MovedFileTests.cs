using EventBus.Stores;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

/// <summary>Tests a file that is deleted or replaced while the stores use it. Windows refuses both.</summary>
public sealed class MovedFileTests : IDisposable
{
    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => folder["data/bus.db"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task File_Deleted_IsRecreatedAndAcceptsLaterWrites()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows refuses to delete a file that is open.");
        using var host = await StartAsync();
        await FailAsync(host, 1);
        Delete();

        await FailAsync(host, 2);

        Assert.Equal(["e-2"], await ListDeadLettersAsync(host));
        Assert.Equal(["e-2"], await ReadEventIdsAsync());
        Assert.Equal(HealthStatus.Healthy, (await CheckAsync(host)).Status);
        await FailAsync(host, 3);
        Delete();
        await Until.TrueAsync("the file is created again without any event", () => System.IO.File.Exists(File), Token);
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task File_ReplacedByACopy_AcceptsLaterWrites()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows refuses to replace a file that is open.");
        using (var earlier = await StartAsync())
        {
            await FailAsync(earlier, 1);
            await earlier.StopAsync(Token);
        }

        System.IO.File.Copy(File, folder["copy.db"]);
        using var host = await StartAsync();
        await FailAsync(host, 2);
        Replace(folder["copy.db"]);

        await FailAsync(host, 3);

        Assert.Equal(["e-1", "e-3"], (await ListDeadLettersAsync(host)).Order());
        Assert.Equal(["e-1", "e-3"], await ReadEventIdsAsync());
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Folder_Deleted_IsNamedByTheHealthCheckUntilItIsBack()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows refuses to delete a file that is open.");
        using var host = await StartAsync();
        await FailAsync(host, 1);
        Directory.Delete(folder["data"], recursive: true);

        await Until.TrueAsync(
            "health names the file",
            async () => await CheckAsync(host) is { Status: HealthStatus.Degraded } entry
                && entry.Description!.Contains(File, StringComparison.Ordinal),
            Token);
        Directory.CreateDirectory(folder["data"]);
        await Until.TrueAsync("health is green again", async () => (await CheckAsync(host)).Status == HealthStatus.Healthy, Token);

        await FailAsync(host, 2);
        Assert.Equal(["e-2"], await ReadEventIdsAsync());
        await host.StopAsync(Token);
    }

    [Fact]
    public async Task Log_Deleted_IsNamedByTheHealthCheckAndWrittenAtTheStop()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows refuses to delete a file that is open.");
        using (var host = await StartAsync())
        {
            await FailAsync(host, 1);
            System.IO.File.Delete($"{File}-wal");
            await Until.TrueAsync(
                "health names the log",
                async () => await CheckAsync(host) is { Status: HealthStatus.Degraded } entry
                    && entry.Description!.Contains("write-ahead log", StringComparison.Ordinal),
                Token);
            await FailAsync(host, 2);
            await host.StopAsync(Token);
        }

        Assert.Equal(["e-1", "e-2"], await ReadEventIdsAsync());
    }

    [Fact]
    public async Task Write_CommittedIntoADeletedFile_IsRefusedAndNotInTheNextOne()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows refuses to delete a file that is open.");
        Directory.CreateDirectory(folder["data"]);
        await using var stores = await OpenAsync(File);
        var key = new ProcessedKey("mail", "1");
        var claim = await stores.Processed.ClaimAsync(key, 7, Now, Lease, Token);

        var refused = await Assert.ThrowsAsync<StoreRefusedException>(
            async () =>
                await stores.Processed.CompleteAsync(key, claim.FencingToken, new Completion([], [DeleteAsync], Now + Lease), Token));

        Assert.Equal(StoreScope.Store, refused.Scope);
        Assert.Equal(ProcessedState.New, (await stores.Processed.ClaimAsync(key, 7, Now, Lease, Token)).State);
        Assert.Equal(0, await stores.Failures.CountAsync(Token));

        Task DeleteAsync(System.Data.Common.DbTransaction transaction, CancellationToken cancellationToken)
        {
            Delete();
            return Task.CompletedTask;
        }
    }

    private static async Task FailAsync(IHost host, int number)
    {
        var alerts = host.Services.GetRequiredService<Alerts>();
        var next = alerts.NextAsync();
        await host.Services.GetRequiredService<IEventBus>()
            .PublishAsync(new FileTouched(number), new PublishOptions { EventId = $"e-{number}" }, Token);
        Assert.Equal($"e-{number}", await next.WaitAsync(Patience, Token));
    }

    private static async Task<IEnumerable<string>> ListDeadLettersAsync(IHost host) =>
        (await host.Services.GetRequiredService<IDeadLetters>().ListAsync(cancellationToken: Token)).Select(letter => letter.EventId);

    private static async Task<HealthReportEntry> CheckAsync(IHost host) =>
        (await host.Services.GetRequiredService<HealthCheckService>().CheckHealthAsync(Token)).Entries["eventbus"];

    /// <summary>Returns the content of the file at the path.</summary>
    private async Task<IEnumerable<string>> ReadEventIdsAsync()
    {
        await using var stores = await OpenAsync(File);
        return (await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Select(dead => dead.Envelope.Id).Order();
    }

    /// <summary>Replaces the file. The loops of the bus may create it again between the two steps.</summary>
    private void Replace(string copy)
    {
        do
        {
            Delete();
        }
        while (!TryMove());

        bool TryMove()
        {
            try
            {
                System.IO.File.Move(copy, File);
                return true;
            }
            catch (IOException) when (System.IO.File.Exists(File))
            {
                return false;
            }
        }
    }

    private void Delete()
    {
        foreach (var end in new[] { "", "-wal", "-shm" })
        {
            System.IO.File.Delete($"{File}{end}");
        }
    }

    private async Task<IHost> StartAsync()
    {
        Directory.CreateDirectory(folder["data"]);
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddHealthChecks();
        builder.Services.AddSingleton<Alerts>();
        builder.Services.AddEventBus(bus => bus.UseInMemory().StoreInSqlite(ConnectionString(File)).Retry(0).AddAlert<Alerts>()
            .Configure(options => (options.ServiceName, options.AlertInterval) = ("shop", TimeSpan.Zero))
            .Subscribe<FileTouched>("touched", (_, _, _) => throw new InvalidOperationException("fails on purpose")));
        var host = builder.Build();
        await host.StartAsync(Token);
        return host;
    }

    [EventName("file.touched")]
    private sealed record FileTouched(int Number);

    private sealed class Alerts : IDeadLetterNotifier
    {
        private TaskCompletionSource<string> next = new();

        public Task<string> NextAsync() =>
            (next = new TaskCompletionSource<string>(TaskCreationOptions.RunContinuationsAsynchronously)).Task;

        public Task NotifyAsync(DeadLetterAlert alert, CancellationToken cancellationToken)
        {
            next.TrySetResult(alert.First.EventId);
            return Task.CompletedTask;
        }
    }
}
