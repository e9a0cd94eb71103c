using System.Diagnostics;
using EventBus.Stores;
using static EventBus.Sqlite.Tests.TestStores;

namespace EventBus.Sqlite.Tests;

public sealed class SqliteDatabaseTests : IDisposable
{
    private static readonly ProcessedKey Key = new("mail", "1");

    private readonly TestFolder folder = new();

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    private string File => folder["bus.db"];

    public void Dispose() => folder.Dispose();

    [Fact]
    public async Task Stores_Reopened_ContainEverything()
    {
        long fencingToken;
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("dead"), Token);
            await stores.Failures.RecordAsync(Failed("waits", line: "k"), Token);
            await stores.Failures.TryParkAsync(Parked("parked", "k"), 10, Token);
            await stores.Failures.AdvanceAsync("mail", "k", 3, Now, Token);
            await stores.Failures.CountAttemptAsync("mail", "started", new AttemptCount(1, 0), Now, Token);
            await stores.Delays.AddAsync(Event("later"), Now, Token);
            fencingToken = (await stores.Processed.ClaimAsync(Key, 7, Now, Lease, Token)).FencingToken;
            await stores.Processed.CompleteAsync(Key, fencingToken, new Completion([Event("out")], [], Now), Token);
        }

        Assert.Equal(["bus.db"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
        await using var again = await OpenAsync(File);

        Assert.Equal("dead", Assert.Single(await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
        Assert.Equal(3, await again.Failures.CountAsync(Token));
        Assert.Equal("waits", Assert.Single((await again.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries).Envelope.Id);
        Assert.Equal((1, 3), await again.Failures.GetOrderAsync("mail", "k", Token));
        Assert.Equal(3, (await again.Failures.CountAttemptAsync("mail", "started", new AttemptCount(1, 0), Now, Token))?.Attempts);
        Assert.Equal("later", Assert.Single((await again.Delays.ClaimDueAsync(Now, Lease, 10, Token)).Entries).Id);
        Assert.Equal("out", Assert.Single((await again.Processed.ClaimAsync(Key, 7, Now, Lease, Token)).Outbox).Id);
        Assert.True(
            (await again.Processed.ClaimAsync(new ProcessedKey(Key.Subscription, "2"), 7, Now, Lease, Token)).FencingToken > fencingToken);
    }

    [Fact]
    public async Task File_OfTheFirstVersion_IsMigratedAndKeepsItsData()
    {
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("dead"), Token);
            await stores.Sagas.CreateAsync(Saga("new"), Token);
        }

        // As that version has left it.
        using (var connection = Connect(File))
        {
            await RunAsync(connection, "DROP TABLE eventbus_sagas; DROP TABLE eventbus_saga_counts; DELETE FROM eventbus_meta WHERE name "
                + "= 'saga'; ALTER TABLE eventbus_starts DROP COLUMN accompanied; ALTER TABLE eventbus_failures DROP COLUMN accompanied; "
                + "DROP TABLE eventbus_instances; DROP TABLE eventbus_subscriptions; UPDATE eventbus_meta SET value = 1 WHERE name = "
                + "'schema'");
        }

        var upgraded =
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => OpenAsync(File, configure: options => options.BusyTimeout = Patience)));
        Assert.Equal("dead", Assert.Single(await upgraded[0].Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
        Assert.True(await upgraded[1].Sagas.CreateAsync(Saga("1"), Token));
        Assert.Equal("1", Assert.Single((await upgraded[2].Sagas.ListDueAsync(["trip"], Now, 10, Token)).Entries).Id);
        Assert.Equal(1, await upgraded[0].Sagas.CountAsync(new SagaFilter(), Token));
        Assert.Equal("mail", Assert.Single(await upgraded[1].Subscriptions.NoteAsync("rabbitmq", ["mail"], Now, Token)).Name);
        foreach (var stores in upgraded)
        {
            await stores.DisposeAsync();
        }

        using var after = Connect(File);
        Assert.Equal(5, await RunAsync(after, "SELECT value FROM eventbus_meta WHERE name = 'schema'"));
    }

    [Fact]
    public async Task File_OfTheFourthVersion_GetsSubscriptionsAndKeepsItsData()
    {
        await using (var stores = await OpenAsync(File))
        {
            await stores.Failures.RecordAsync(Dead("dead"), Token);
            await stores.Instances.NoteAsync("a", ["mail"], Now, Lease, Token);
        }

        using (var connection = Connect(File))
        {
            await RunAsync(connection, "DROP TABLE eventbus_subscriptions; UPDATE eventbus_meta SET value = 4 WHERE name = 'schema'");
        }

        await using var upgraded = await OpenAsync(File);
        Assert.Equal(("shop", "mail", Now), Assert.Single(await upgraded.Subscriptions.NoteAsync("rabbitmq", ["mail"], Now, Token)));
        Assert.Equal("dead", Assert.Single(await upgraded.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Envelope.Id);
        Assert.Equal(2, (await upgraded.Instances.NoteAsync("b", ["mail"], Now, Lease, Token))["mail"]);
    }

    [Fact]
    public async Task Instances_SideBySide_ShareTheWorkWithoutDuplicates()
    {
        const int Count = 200;
        var instances =
            await Task.WhenAll(Enumerable.Range(0, 3).Select(_ => OpenAsync(File, configure: options => options.BusyTimeout = Patience)));
        await Task.WhenAll(
            Enumerable.Range(0, Count).Select(async i => Assert.True(await instances[i % 3].Failures.RecordAsync(Failed($"{i}"), Token))));
        await Task.WhenAll(Enumerable.Range(0, Count)
            .Select(async i => Assert.False(await instances[(i + 1) % 3].Failures.RecordAsync(Failed($"{i}"), Token))));

        var claimed = await Task.WhenAll(instances.Select(async stores =>
        {
            var mine = new List<FailedEvent>();
            while ((await stores.Failures.ClaimDueAsync(["mail"], Now, Lease, 7, Token)).Entries is { Count: > 0 } entries)
            {
                mine.AddRange(entries);
            }

            return mine;
        }));
        var fencingTokens = await Task.WhenAll(Enumerable.Range(0, 30).Select(
            async i => await instances[i % 3].Processed.ClaimAsync(new ProcessedKey(Key.Subscription, $"{i / 3}"), 0, Now, Lease, Token)));

        Assert.Equal(Count, claimed.SelectMany(mine => mine).Select(entry => entry.Id).Distinct().Count());
        Assert.Equal(Count, claimed.Sum(mine => mine.Count));
        Assert.Equal(10, fencingTokens.Count(claim => claim.State == ProcessedState.New));
        Assert.Equal(10, fencingTokens.Where(claim => claim.FencingToken != 0).Select(claim => claim.FencingToken).Distinct().Count());
        foreach (var stores in instances)
        {
            await stores.DisposeAsync();
        }
    }

    [Fact]
    public async Task Applications_InOneFile_AreSeparate()
    {
        await using var shop = await OpenAsync(File, "shop");
        await using var depot = await OpenAsync(File, "depot");
        await using var apart = await OpenAsync(File, "shop", configure: options => options.TablePrefix = "other_");
        await shop.Failures.RecordAsync(Failed("1"), Token);
        await shop.Delays.AddAsync(Event("1"), Now, Token);
        await shop.Processed.ClaimAsync(Key, 0, Now, Lease, Token);

        foreach (var other in new[] { depot, apart })
        {
            Assert.Empty((await other.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries);
            Assert.Equal(
                (0, 0, 0),
                (await other.Failures.CountAsync(Token), await other.Delays.CountAsync(Token), await other.Processed.CountAsync(Token)));
            Assert.Equal(ProcessedState.New, (await other.Processed.ClaimAsync(Key, 0, Now, Lease, Token)).State);
            Assert.True(await other.Failures.RecordAsync(Failed("1"), Token));
        }
    }

    [Fact]
    public async Task Write_WhileAnotherProcessLocksTheFile_FailsInTimeAndThenSucceeds()
    {
        await using var stores = await OpenAsync(File);
        await stores.Failures.RecordAsync(Dead("1"), Token);
        using var other = Connect(File);
        var watch = Stopwatch.StartNew();
        await using (await other.BeginTransactionAsync(Token))
        {
            var writes = Enumerable.Range(0, 20).Select(i => stores.Failures.RecordAsync(Dead($"w{i}"), Token).AsTask()).ToArray();
            foreach (var write in writes)
            {
                Assert.Contains("locked", (await Assert.ThrowsAsync<StoreRefusedException>(() => write)).Message, StringComparison.Ordinal);
            }

            Assert.InRange(watch.Elapsed, TimeSpan.FromSeconds(0.9), Patience);
            Assert.Single(await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token));
        }

        Assert.True(await stores.Failures.RecordAsync(Dead("2"), Token));
        Assert.Equal(2, await stores.Failures.CountAsync(Token));
    }

    [Fact]
    public async Task Write_WhileTheDatabaseIsFull_FailsAndThenSucceeds()
    {
        await using var stores = await OpenAsync(File);
        var fencingToken = (await stores.Processed.ClaimAsync(Key, 0, Now, Lease, Token)).FencingToken;
        var roomy = await stores.Processed.ClaimAsync(new ProcessedKey(Key.Subscription, "2"), 0, Now, Lease, Token);

        // The writer's own connection gets a limit, through an effect that runs on it.
        await stores.Processed.CompleteAsync(Key, fencingToken, new Completion([], [Limit("PRAGMA max_page_count = 60")], Now), Token);
        var accepted = new List<string>();
        InvalidOperationException? full = null;
        for (var i = 0; full is null && i < 1_000; i++)
        {
            try
            {
                await stores.Delays.AddAsync(Event($"{i}", 2_000), Now, Token);
                accepted.Add($"{i}");
            }
            catch (InvalidOperationException exception)
            {
                full = exception;
            }
        }

        Assert.Contains("no room", full!.Message, StringComparison.Ordinal);
        Assert.Equal(accepted.Count, await stores.Delays.CountAsync(Token));
        await stores.Processed.CompleteAsync(
            new ProcessedKey(Key.Subscription, "2"),
            roomy.FencingToken,
            new Completion([], [Limit("PRAGMA max_page_count = 1000000")], Now),
            Token);
        await stores.Delays.AddAsync(Event("more", 2_000), Now, Token);
        Assert.Equal([.. accepted, "more"], (await stores.Delays.ClaimDueAsync(Now, Lease, 1_000, Token)).Entries.Select(e => e.Id));
    }

    [Fact]
    public async Task Write_WhileTheDiskIsFull_FailsAndThenSucceeds()
    {
        var mount = Directory.CreateDirectory(folder["disk"]).FullName;
        Assert.SkipUnless(
            await MountAsync("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", mount),
            "A disk that fills up needs the right to mount one.");
        try
        {
            var file = Path.Combine(mount, "bus.db");
            await using var stores = await OpenAsync(file);
            var filler = Path.Combine(mount, "filler");
            var free = new DriveInfo(mount).AvailableFreeSpace;
            await System.IO.File.WriteAllBytesAsync(filler, new byte[Math.Max(0, free - 100_000)], Token);
            var accepted = 0;
            var failed = await Assert.ThrowsAnyAsync<Exception>(async () =>
            {
                for (; accepted < 1_000; accepted++)
                {
                    await stores.Failures.RecordAsync(Dead($"{accepted}") with { ErrorDetails = new string('x', 4_000) }, Token);
                }
            });
            Assert.True(failed is InvalidOperationException or EventBusException, failed.ToString());
            Assert.Equal(accepted, await stores.Failures.DeadLetters.CountAsync(new DeadLetterFilter(), Token));

            System.IO.File.Delete(filler);
            Assert.True(await stores.Failures.RecordAsync(Dead("more"), Token));
            Assert.Equal(accepted + 1, (await stores.Failures.DeadLetters.ListAsync(new DeadLetterFilter { Take = 1_000 }, Token)).Count);
        }
        finally
        {
            Assert.True(await MountAsync("umount", "-l", mount));
        }
    }

    [Fact]
    public async Task File_ThatCannotBeUsed_IsRefusedWithTheFix()
    {
        await System.IO.File.WriteAllTextAsync(folder["text"], string.Concat(Enumerable.Repeat("this is no database. ", 100)), Token);
        await AssertRefusedAsync(folder["text"], "is not a SQLite database");
        await AssertRefusedAsync(folder["no/such/folder/bus.db"], "cannot be opened");
        await AssertRefusedAsync(folder.Path, "cannot be opened");

        await (await OpenAsync(File)).DisposeAsync();
        await AssertRefusedAsync($"Data Source=file:{File}?mode=ro", "must not be written");
        using (var connection = Connect(File))
        {
            await RunAsync(connection, "UPDATE eventbus_meta SET value = 99 WHERE name = 'schema'");
        }

        await AssertRefusedAsync(File, "newer version");
        await (await OpenAsync(File, configure: options => options.TablePrefix = "mine_")).DisposeAsync();
    }

    [Fact]
    public async Task Rows_ThatCannotBeRead_DoNotHideTheOthers()
    {
        await using (var stores = await OpenAsync(File))
        {
            foreach (var id in new[] { "good", "attributes", "other", "history", "null", "reason", "type", "time", "lost" })
            {
                await stores.Failures.RecordAsync(Dead(id) with { Subscription = "dead" }, Token);
                await stores.Failures.RecordAsync(Failed(id), Token);
                await stores.Delays.AddAsync(Event(id), Now, Token);
            }
        }

        using (var connection = Connect(File))
        {
            // As if by another program, or a disk that lies: the tables themselves would refuse some of it.
            await RunAsync(connection, "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = replace(replace(replace(sql, "
                + "'STRICT', ''), 'NOT NULL', ''), 'CHECK (status BETWEEN 0 AND 3)', '') WHERE type = 'table'; PRAGMA writable_schema = "
                + "RESET");
            const string Contents = "UPDATE eventbus_failure_contents SET", Failures = "UPDATE eventbus_failures SET";
            foreach (var (id, sql) in new[]
            {
                ("attributes", $"{Contents} attributes = x'7b7b'"),
                ("other", $"{Contents} attributes = '{{\"id\":\"9\"}}'"),
                ("history", $"{Contents} history = 'nonsense'"),
                ("null", $"{Contents} attributes = NULL, body = NULL, history = NULL"), ("lost", "DELETE FROM eventbus_failure_contents"),
            })
            {
                await RunAsync(connection, $"{sql} WHERE seq IN (SELECT seq FROM eventbus_failures WHERE event_id = '{id}')");
            }

            await RunAsync(connection, $"{Failures} reason = 77, error = x'00' WHERE event_id = 'reason'; {Failures} starts = 'many', "
                + $"replays = 1.5 WHERE event_id = 'type'; {Failures} first_failed_at = -1, due_at = NULL WHERE event_id = 'time'");
            await RunAsync(connection, "UPDATE eventbus_delays SET attributes = NULL WHERE event_id = 'null'; UPDATE eventbus_delays SET "
                + "body = 7 WHERE event_id = 'type'");
        }

        await using var again = await OpenAsync(File);
        var dead = await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token);
        var due = (await again.Failures.ClaimDueAsync(["mail"], Now, Lease, 100, Token)).Entries;
        var delayed = (await again.Delays.ClaimDueAsync(Now, Lease, 100, Token)).Entries;

        foreach (var entries in new[] { dead, due })
        {
            Assert.Equal(
                ["attributes", "good", "history", "lost", "null", "other", "reason", "time", "type"],
                entries.Select(entry => entry.Envelope.Id).Order(StringComparer.Ordinal));
            Assert.Equal(
                ["good", "history"],
                entries.Where(entry => entry.Envelope.Defect is null).Select(entry => entry.Envelope.Id).Order(StringComparer.Ordinal));
        }

        Assert.Equal(
            ["null", "type"],
            delayed.Where(envelope => envelope.Defect is not null).Select(envelope => envelope.Id).Order(StringComparer.Ordinal));
        Assert.Equal(9, delayed.Count);
        foreach (var entry in due)
        {
            Assert.True(await again.Failures.RecordAsync(
                entry with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.Unreadable },
                Token));
            Assert.True(await again.Failures.DeadLetters.DiscardAsync($"dead~{entry.Envelope.Id}", Token));
        }

        Assert.Equal(9, (await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Count);
    }

    /// <summary>
    /// A page of the file that holds nothing but a part of one body points nowhere: a reader of that body gets the
    /// error that the file is malformed.
    /// </summary>
    [Fact]
    public async Task Page_ThatIsDamaged_AffectsNoOtherEntry()
    {
        await using (var stores = await OpenAsync(File))
        {
            foreach (var id in new[] { "1", "bad", "2" })
            {
                await stores.Failures.RecordAsync(Failed(id) with { Envelope = Event(id, id == "bad" ? 50_000 : 10) }, Token);
                await stores.Failures.RecordAsync(
                    Dead(id) with { Subscription = "dead", Envelope = Event(id, id == "bad" ? 50_000 : 10) },
                    Token);
                await stores.Delays.AddAsync(Event(id, id == "bad" ? 50_000 : 10), Now, Token);
                await stores.Sagas.CreateAsync(Saga(id) with { DueAt = Now, Content = new byte[id == "bad" ? 50_000 : 10] }, Token);
            }
        }

        DamageOverflowPages(File);
        await using var again = await OpenAsync(File);
        var due = (await again.Failures.ClaimDueAsync(["mail"], Now, Lease, 10, Token)).Entries;
        Assert.Equal(["1", "bad", "2"], due.Select(entry => entry.Envelope.Id));
        Assert.Equal(["bad"], due.Where(entry => entry.Envelope.Defect is not null).Select(entry => entry.Envelope.Id));
        Assert.Equal(
            ["2", "bad", "1"],
            (await again.Failures.DeadLetters.ListAsync(new DeadLetterFilter(), Token)).Select(entry => entry.Envelope.Id));
        Assert.NotNull((await again.Failures.DeadLetters.FindAsync("dead~bad", Token))!.Envelope.Defect);
        Assert.Empty(again.Problems);
        Assert.Equal(["1", "2"], (await again.Delays.ClaimDueAsync(Now, Lease, 10, Token)).Entries.Select(envelope => envelope.Id));
        Assert.Contains("1 delayed events", Assert.Single(again.Problems), StringComparison.Ordinal);
        Assert.Equal(["1", "bad", "2"], (await again.Sagas.ListDueAsync(["trip"], Now, 10, Token)).Entries.Select(saga => saga.Id));
        Assert.NotNull((await again.Sagas.FindAsync("bad", Token))!.Defect);

        // It is the dead letter that it has to become, and where it cannot be removed it says so.
        Assert.Empty(await again.Failures.RenewAsync(due, Now + (2 * Lease), Token));
        Assert.True(
            await again.Failures.RecordAsync(due[1] with { Status = FailedEventStatus.Dead, Reason = DeadLetterReason.Unreadable }, Token));
        await again.Failures.CompleteAsync(due[0], Token);
        await again.Failures.CompleteAsync(due[2], Token);
        Assert.Equal(DeadLetterReason.Unreadable, (await again.Failures.DeadLetters.FindAsync("mail~bad", Token))!.Reason);
        Assert.Equal(StoreScope.Entry, (await Assert.ThrowsAsync<StoreRefusedException>(
            async () => await again.Failures.DeadLetters.DiscardAsync("mail~bad", Token))).Scope);
        Assert.Equal(2, await again.Failures.DeadLetters.SweepAsync(Now.AddDays(1), 100, Token));
        Assert.True(await again.Failures.RecordAsync(Failed("more"), Token));
    }

    [Fact]
    public async Task Stores_Closed_ReportIt()
    {
        var stores = await OpenAsync(File);
        await stores.DisposeAsync();

        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stores.Failures.RecordAsync(Failed("1"), Token));
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await stores.Failures.CountAsync(Token));
    }

    /// <summary>Overwrites the pointer with which a page of a long row leads to the next one.</summary>
    private static void DamageOverflowPages(string file)
    {
        int page;
        using (var connection = Connect(file))
        {
            page = (int)RunAsync(connection, "PRAGMA wal_checkpoint(TRUNCATE); PRAGMA page_size").GetAwaiter().GetResult();
            page = page > 100 ? page : 4_096;
        }

        using var stream = new FileStream(file, FileMode.Open, FileAccess.ReadWrite);
        var bytes = new byte[page];
        for (long at = page; stream.Seek(at, SeekOrigin.Begin) == at && stream.Read(bytes) == page; at += page)
        {
            // What follows the pointer is one byte of the body, again and again.
            var body = bytes.AsSpan(4);
            if (!body.ContainsAnyExcept(body[0]) && body[0] is (byte)'x' or 0 && bytes.AsSpan(0, 4).ContainsAnyExcept((byte)0))
            {
                stream.Seek(at, SeekOrigin.Begin);
                stream.Write([0x7F, 0xFF, 0xFF, 0xFF]);
            }
        }
    }

    private static Func<System.Data.Common.DbTransaction, CancellationToken, Task> Limit(string pragma) => async (transaction, token) =>
    {
        await using var command = transaction.Connection!.CreateCommand();
        (command.Transaction, command.CommandText) = (transaction, pragma);
        await command.ExecuteNonQueryAsync(token);
    };

    private static async Task AssertRefusedAsync(string file, string why)
    {
        var exception = await Assert.ThrowsAsync<EventBusException>(async () => await OpenAsync(file));
        Assert.Contains(why, exception.Message, StringComparison.Ordinal);
    }

    private static async Task<bool> MountAsync(string command, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(command, arguments) { RedirectStandardError = true })!;
            await process.WaitForExitAsync(Token).WaitAsync(Patience, Token);
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
