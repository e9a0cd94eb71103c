using Microsoft.CodeAnalysis;

namespace EventBus.Architecture.Tests;

/// <summary>Checks the documentation of public members.</summary>
public sealed class DocumentationTests
{
    [Fact]
    public void Members_ThatArePublic_HaveASummary() =>
        Rule.NoOffenders(
            Public()
                .Where(symbol => !Inherits(symbol) && Same(symbol.Documentation.TextOf("summary"), symbol))
                .Select(symbol => $"{symbol.Where}: {symbol.ShortName}"),
            "These have no summary, or one that repeats the name. Describe the purpose, with units, default and errors:");

    [Fact]
    public void Parameters_OfPublicMembers_AreDocumented() =>
        Rule.NoOffenders(
            from symbol in Public()
            where !Inherits(symbol)
            from parameter in ParametersOf(symbol)
            where symbol.Documentation?.Elements("param").Any(
                element => element.Attribute("name")?.Value == parameter && (element.Value.Length > 0 || element.HasElements)) != true
            select $"{symbol.Where}: {symbol.ShortName}({parameter})",
            "These parameters are not described. Add <param> with a sentence:");

    [Fact]
    public void Options_OfAnyKind_AreSealedAndMadeWithoutArguments() =>
        Rule.NoOffenders(
            Options().Where(type => !type.IsSealed
                || !type.InstanceConstructors.Any(constructor => constructor.Parameters.Length == 0 && constructor.IsPublic))
                .Select(type => $"{type.Where}: {type.Name}"),
            "These options are not sealed, or have no public constructor without parameters. Seal them, with defaults as initialisers:");

    [Fact]
    public void Options_OfAnyKind_DocumentTheirDefaults() =>
        Rule.NoOffenders(
            Options().SelectMany(type => type.GetMembers().OfType<IPropertySymbol>())
                .Where(property => property.IsPublic
                    && !property.Documentation.TextOf("summary").Contains("Default", StringComparison.Ordinal))
                .Select(property => (property.ShortName, property.Where)),
            "These settings do not document their default. Add 'Default ...' to the summary, with its unit:");

    private static IEnumerable<INamedTypeSymbol> PublicTypes() =>
        SourceProject.All.SelectMany(project => project.Types).Where(type => type.IsPublic);

    private static IEnumerable<INamedTypeSymbol> Options() =>
        PublicTypes().Where(
            type => type.TypeKind == TypeKind.Class && !type.IsStatic && type.Name.EndsWith("Options", StringComparison.Ordinal));

    private static IEnumerable<ISymbol> Public() =>
        PublicTypes().SelectMany(
            type => type.GetMembers().Where(member => member is { IsImplicitlyDeclared: false } and not INamedTypeSymbol).Append(type))
            .Where(symbol => symbol.IsPublic && symbol is not IMethodSymbol
            {
                MethodKind: not (MethodKind.Ordinary
                or MethodKind.Constructor
                or MethodKind.UserDefinedOperator
                or MethodKind.Conversion)
            })
            // The <param> tags of the type describe the members of a primary constructor.
            .Where(symbol => symbol is INamedTypeSymbol || symbol.DeclaringSyntaxReferences.All(reference =>
                reference.GetSyntax() is not (Microsoft.CodeAnalysis.CSharp.Syntax.ParameterSyntax
                    or Microsoft.CodeAnalysis.CSharp.Syntax.TypeDeclarationSyntax)));

    private static bool Inherits(ISymbol symbol) => symbol.Documentation?.Elements("inheritdoc").Any() == true;

    private static bool Same(string summary, ISymbol symbol) =>
        summary.Length == 0 || string.Concat(summary.Where(char.IsLetter))
            .Equals(string.Concat(symbol.Name.Where(char.IsLetter)), StringComparison.OrdinalIgnoreCase);

    private static IEnumerable<string> ParametersOf(ISymbol symbol) => symbol switch
    {
        IMethodSymbol method => method.Parameters.Select(parameter => parameter.Name),
        INamedTypeSymbol { DelegateInvokeMethod: { } invoke } => invoke.Parameters.Select(parameter => parameter.Name),
        INamedTypeSymbol type => type.InstanceConstructors
            .Where(constructor => constructor.IsPublic && constructor.DeclaringSyntaxReferences.Any(
                reference => reference.GetSyntax() is Microsoft.CodeAnalysis.CSharp.Syntax.TypeDeclarationSyntax))
            .SelectMany(constructor => constructor.Parameters.Select(parameter => parameter.Name)),
        _ => [],
    };
}
