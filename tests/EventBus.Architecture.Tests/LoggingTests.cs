using System.Globalization;
using System.Reflection;
using System.Text;
using EventBus.Transports;
using Microsoft.CodeAnalysis;
using Microsoft.CodeAnalysis.CSharp;
using Microsoft.CodeAnalysis.CSharp.Syntax;
using Microsoft.Extensions.Logging;

namespace EventBus.Architecture.Tests;

/// <summary>
/// Checks that each log message of a library is in a class whose name ends in Log, one for each area.
/// </summary>
public sealed class LoggingTests
{
    [Fact]
    public void Messages_OfALibrary_AreDeclaredInItsLog() =>
        Rule.NoOffenders(
            Messages()
                .Where(message => !message.Attribute.SyntaxTree.FilePath.EndsWith("Log.cs", StringComparison.Ordinal))
                .Select(message => message.Attribute.Where),
            "These log messages stand outside of the project's Log classes. Move them there:");

    [Fact]
    public void Messages_OfALibrary_HaveUniqueIds()
    {
        Rule.NoOffenders(
            Messages().Where(message => IdOf(message.Attribute) is null).Select(message => message.Attribute.Where),
            "These log messages have no event id. Give each a number:");
        Rule.NoOffenders(
            Messages().GroupBy(message => (message.Project, Id: IdOf(message.Attribute))).Where(group => group.Count() > 1)
                .Select(group =>
                    $"{group.Key.Project}, id {group.Key.Id}: {string.Join(", ", group.Select(message => message.Attribute.Where))}"),
            "These log messages share an event id. Give each a number that is unique in its project:");
    }

    /// <summary>Many messages contain received texts: a logger of one class makes all of them printable.</summary>
    [Fact]
    public void Loggers_OfALibrary_AreCreatedByOneClass() =>
        Rule.NoOffenders(
            from project in SourceProject.All
            where project.Name != "EventBus.Conformance"
            from found in project.Nodes<SimpleNameSyntax>()
            where found.Node.Identifier.Text == "CreateLogger"
                || (found.Node is GenericNameSyntax && found.Node.Identifier.Text == "ILogger")
            where Path.GetFileName(found.Node.SyntaxTree.FilePath) != "BackendLog.cs"
            select found.Node.Where,
            "These loggers write foreign text unchanged. Create them with BackendLog.Create:");

    [Fact]
    public void Messages_WithHostileTexts_AreOneLineOfPrintableCharacters()
    {
        var written = new List<string>();
        var log = BackendLog.Create(new Recorder(written), "test");
        Assembly[] libraries = [
            typeof(EventBusBuilder).Assembly,
            typeof(RedisOptions).Assembly,
            typeof(RabbitMqOptions).Assembly,
            typeof(KafkaOptions).Assembly,
            typeof(SqliteStoreOptions).Assembly,
            typeof(InMemoryOptions).Assembly
        ];
        var messages = libraries.SelectMany(library => library.GetTypes())
            .Where(type => type.Name.EndsWith("Log", StringComparison.Ordinal))
            .SelectMany(type => type.GetMethods(BindingFlags.Static | BindingFlags.Public))
                .Where(method => method.GetCustomAttribute<LoggerMessageAttribute>() is not null).ToList();

        Assert.Equal(Messages().Count(message => message.Project != "EventBus.Conformance"), messages.Count);
        foreach (var message in messages)
        {
            written.Clear();
            message.Invoke(null, [log, .. message.GetParameters().Skip(1).Select(ValueOf)]);
            Assert.NotEmpty(written);
            Assert.All(written, text => Assert.True(
                text.EnumerateRunes().All(IsPrintable),
                $"{message.DeclaringType!.Assembly.GetName().Name}, {message.Name}: {text}"));
        }

        static object? ValueOf(ParameterInfo parameter) =>
            parameter.ParameterType == typeof(string) ? "id\r\ncrit: forged\u001b[2J\u0085\u2028\u2029\u202e\u200b\ud800"
            : parameter.ParameterType == typeof(Type) ? typeof(string)
            : parameter.ParameterType.IsValueType ? Activator.CreateInstance(parameter.ParameterType)
            : null;

        static bool IsPrintable(Rune rune) => rune != Rune.ReplacementChar && Rune.GetUnicodeCategory(rune) is not (UnicodeCategory.Control
            or UnicodeCategory.LineSeparator
            or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.Format);
    }

    private static IEnumerable<(string Project, AttributeSyntax Attribute)> Messages() =>
        from project in SourceProject.All
        from found in project.Nodes<AttributeSyntax>()
        where found.Node.Name.ToString() is "LoggerMessage" or "LoggerMessageAttribute"
        select (project.Name, found.Node);

    /// <summary>Records the texts and the values of log entries.</summary>
    private sealed class Recorder(List<string> written) : ILoggerFactory, ILogger
    {
        public ILogger CreateLogger(string categoryName) => this;

        public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(
            LogLevel logLevel,
            EventId eventId,
            TState state,
            Exception? exception,
            Func<TState, Exception?, string> formatter)
        {
            written.Add(formatter(state, exception));
            written.AddRange(((IReadOnlyList<KeyValuePair<string, object?>>)state!).Select(value => $"{value.Value}"));
        }

        public void Dispose()
        {
        }
    }

    private static string? IdOf(AttributeSyntax attribute) => attribute.ArgumentList?.Arguments
        .Where((argument, position) => argument.NameEquals is { Name.Identifier.Text: "EventId" }
            || (argument.NameEquals is null && position == 0))
        .Select(argument => argument.Expression)
        .FirstOrDefault(expression => expression.IsKind(SyntaxKind.NumericLiteralExpression))?.ToString();
}
