using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace EventBus.Sqlite.Tests;

public sealed class SqliteBuilderExtensionsTests
{
    private static CancellationToken Token => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("Data Source=:memory:", "StoreInMemory")]
    [InlineData("Data Source=:MEMORY:", "StoreInMemory")]
    [InlineData("Data Source=x;Mode=Memory", "StoreInMemory")]
    [InlineData("Data Source= ", "StoreInMemory")]
    [InlineData("Cache=Private", "StoreInMemory")]
    [InlineData("Data Source=file:", "StoreInMemory")]
    [InlineData("Data Source=file:?x=1", "StoreInMemory")]
    [InlineData("Data Source=file:#x", "StoreInMemory")]
    [InlineData("Data Source=file::memory:", "StoreInMemory")]
    [InlineData("Data Source=FILE::memory:?cache=shared", "StoreInMemory")]
    [InlineData("Data Source=file:x?mode=memory&cache=shared", "StoreInMemory")]
    [InlineData("Data Source=file:x?a=1&mode=%6Demory", "StoreInMemory")]
    [InlineData("Data Source=file:/x?vfs=memdb", "StoreInMemory")]
    [InlineData("Data Source=x;Mode=ReadOnly", "ReadOnly")]
    [InlineData("Data Source=file:x?mode=ro", "ReadOnly")]
    [InlineData("Data Source=file:x?immutable=1", "ReadOnly")]
    [InlineData("Data Source=x;Cache=Shared", "Shared")]
    [InlineData("Data Source=file:x?cache=shared", "Shared")]
    [InlineData("Host=x;Password=secret", "Data Source=")]
    [InlineData("Data Source=x;Password=first;secret=1", "quotes")]
    [InlineData("secret.db", "Data Source=")]
    [InlineData("sqlite:///secret.db", "Data Source=")]
    [InlineData("/data/secret.db", "Data Source=")]
    public async Task Connection_OfAFormThatTheStoresCannotUse_IsRefusedAtTheStart(string connectionString, string remedy)
    {
        var exception = await StartAsync(connectionString);

        Assert.Contains(remedy, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", exception.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("Data Source={0}/bus.db")]
    [InlineData("DataSource={0}/bus.db;Mode=ReadWriteCreate;Cache=Private;Pooling=True;Default Timeout=30")]
    [InlineData("filename=\"{0}/bus.db\"")]
    [InlineData("Data Source={0}/mode=memory/../bus.db")]
    [InlineData("Data Source=file:{0}/bus.db")]
    [InlineData("Data Source=FILE:{0}/bus.db")]
    [InlineData("Data Source=file://{0}/bus.db")]
    [InlineData("Data Source=file://localhost{0}/bus.db?mode=rwc&cache=private#any")]
    public async Task Connection_OfAFormThatNamesAFile_OpensIt(string connectionString)
    {
        using var folder = new TestFolder();
        Directory.CreateDirectory(folder["mode=memory"]);
        await using (await TestStores.OpenAsync(string.Format(CultureInfo.InvariantCulture, connectionString, folder.Path)))
        {
            Assert.True(File.Exists(folder["bus.db"]));
        }
    }

    [Theory]
    [InlineData("Data Source={0}/bus.db;Password=secret", "You specified a password")]
    [InlineData("Data Source={0}/nowhere/bus.db;Password=secret", "bus.db")]
    [InlineData("Data Source=file:{0}/nowhere/bus.db?key=secret", "nowhere/bus.db' cannot be opened")]
    public async Task Open_ThatFails_ShowsNoPassword(string connectionString, string text)
    {
        using var folder = new TestFolder();
        var exception = await Assert.ThrowsAsync<EventBusException>(
            () => TestStores.OpenAsync(string.Format(CultureInfo.InvariantCulture, connectionString, folder.Path)));

        Assert.Contains(text, exception.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", exception.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Settings_OutOfRange_AreNamedAtTheStart()
    {
        await AssertNamedAsync(nameof(SqliteStoreOptions.TablePrefix), options => options.TablePrefix = "x; DROP TABLE y");
        await AssertNamedAsync(nameof(SqliteStoreOptions.TablePrefix), options => options.TablePrefix = "1x");
        await AssertNamedAsync(nameof(SqliteStoreOptions.TablePrefix), options => options.TablePrefix = "");
        await AssertNamedAsync(nameof(SqliteStoreOptions.TablePrefix), options => options.TablePrefix = "SQLite_x");
        await AssertNamedAsync(nameof(SqliteStoreOptions.BusyTimeout), options => options.BusyTimeout = TimeSpan.FromMinutes(2));
        await AssertNamedAsync(nameof(SqliteStoreOptions.EffectTimeout), options => options.EffectTimeout = TimeSpan.Zero);
    }

    [Fact]
    public async Task Bus_StoringInSqlite_RetriesAndRemembersAcrossARestart()
    {
        using var folder = new TestFolder();
        var starts = 0;
        var failed = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var handled = new TaskCompletionSource<int>(TaskCreationOptions.RunContinuationsAsynchronously);
        using (var first = Build(folder["bus.db"], TimeSpan.FromDays(1), _ =>
        {
            failed.TrySetResult();
            throw new InvalidOperationException("broken");
        }))
        {
            await first.StartAsync(Token);
            await first.Services.GetRequiredService<IEventBus>().PublishAsync(new ParcelSent(1), cancellationToken: Token);
            await failed.Task.WaitAsync(TestStores.Patience, Token);
            await first.StopAsync(Token);
        }

        await using (var stores = await TestStores.OpenAsync(folder["bus.db"], "depot"))
        {
            Assert.Equal(1, await stores.Failures.CountAsync(Token));

            // Due now instead of in a day.
            var entry = Assert.Single(
                (await stores.Failures.ClaimDueAsync(["slow"], DateTimeOffset.UtcNow.AddDays(2), TestStores.Lease, 10, Token)).Entries);
            Assert.True(await stores.Failures.RecordAsync(entry with { DueAt = DateTimeOffset.UtcNow, Attempts = 1 }, Token));
        }

        using var second = Build(folder["bus.db"], TimeSpan.FromDays(1), parcel =>
        {
            starts++;
            handled.TrySetResult(parcel.Number);
        });
        await second.StartAsync(Token);
        Assert.Equal(1, await handled.Task.WaitAsync(TestStores.Patience, Token));
        await second.StopAsync(Token);
        Assert.Equal(1, starts);
    }

    private static IHost Build(string file, TimeSpan retryAfter, Action<ParcelSent> handler)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => bus
            .UseInMemory()
            .StoreInSqlite(options => options.ConnectionString = $"Data Source={file}")
            .Configure(options => options.ServiceName = "depot")
            .Retry(3, retryAfter)
            .Subscribe<ParcelSent>("slow", (parcel, _, _) =>
            {
                handler(parcel);
                return Task.CompletedTask;
            }));
        return builder.Build();
    }

    private static async Task<EventBusConfigurationException> StartAsync(
        string connectionString,
        Action<SqliteStoreOptions>? configure = null)
    {
        var builder = Host.CreateEmptyApplicationBuilder(null);
        builder.Services.AddEventBus(bus => bus.UseInMemory().StoreInSqlite(connectionString, configure));
        using var host = builder.Build();
        return await Assert.ThrowsAsync<EventBusConfigurationException>(() => host.StartAsync(Token));
    }

    private static async Task AssertNamedAsync(string setting, Action<SqliteStoreOptions> configure) =>
        Assert.Contains(
            $"SqliteStoreOptions.{setting} is",
            (await StartAsync("Data Source=x.db", configure)).Message,
            StringComparison.Ordinal);
}
